"""Tables of irregular Spanish verbs, read by `verbs`."""

from __future__ import annotations

from sample_grammar.lexicon import words

IRREGULAR: dict[str, dict[str, str]] = {
    "ser": {
        "pres": "soy eres es somos sois son",
        "pret": "fui fuiste fue fuimos fuisteis fueron",
        "imp": "era eras era éramos erais eran",
        "subj": "sea seas sea seamos seáis sean",
    },
    "estar": {
        "pres": "estoy estás está estamos estáis están",
        "subj": "esté estés esté estemos estéis estén",
    },
    "haber": {
        "pres": "he has ha hemos habéis han",
        "subj": "haya hayas haya hayamos hayáis hayan",
    },
    "ir": {
        "pres": "voy vas va vamos vais van",
        "pret": "fui fuiste fue fuimos fuisteis fueron",
        "imp": "iba ibas iba íbamos ibais iban",
        "subj": "vaya vayas vaya vayamos vayáis vayan",
        "ger": "yendo",
    },
    "dar": {
        "pres": "doy das da damos dais dan",
        "pret": "di diste dio dimos disteis dieron",
        "subj": "dé des dé demos deis den",
    },
    "ver": {
        "pres": "veo ves ve vemos veis ven",
        "pret": "vi viste vio vimos visteis vieron",
        "imp": "veía veías veía veíamos veíais veían",
        "subj": "vea veas vea veamos veáis vean",
    },
    "saber": {
        "pres": "sé sabes sabe sabemos sabéis saben",
        "subj": "sepa sepas sepa sepamos sepáis sepan",
    },
    "decir": {"pres": "digo dices dice decimos decís dicen", "ger": "diciendo"},
    "tener": {"pres": "tengo tienes tiene tenemos tenéis tienen"},
    "venir": {"pres": "vengo vienes viene venimos venís vienen", "ger": "viniendo"},
    "poder": {"ger": "pudiendo"},
    "oír": {
        "pres": "oigo oyes oye oímos oís oyen",
        "pret": "oí oíste oyó oímos oísteis oyeron",
        "ger": "oyendo",
    },
    "reír": {
        "pres": "río ríes ríe reímos reís ríen",
        "pret": "reí reíste rio reímos reísteis rieron",
        "imp": "reía reías reía reíamos reíais reían",
        "subj": "ría rías ría riamos riais rían",
        "ger": "riendo",
    },
    "freír": {
        "pres": "frío fríes fríe freímos freís fríen",
        "pret": "freí freíste frio freímos freísteis frieron",
        "imp": "freía freías freía freíamos freíais freían",
        "subj": "fría frías fría friamos friais frían",
        "ger": "friendo",
    },
    "cocer": {
        "pres": "cuezo cueces cuece cocemos cocéis cuecen",
        "subj": "cueza cuezas cueza cozamos cozáis cuezan",
    },
}

STRONG_PRETERITES = {
    "estar": "estuv",
    "tener": "tuv",
    "hacer": "hic",
    "poder": "pud",
    "poner": "pus",
    "querer": "quis",
    "saber": "sup",
    "venir": "vin",
    "decir": "dij",
    "traer": "traj",
    "haber": "hub",
    "andar": "anduv",
    "conducir": "conduj",
    "producir": "produj",
    "reducir": "reduj",
    "traducir": "traduj",
    "introducir": "introduj",
}
IRREGULAR["sonreír"] = {"pret": "sonreí sonreíste sonrió sonreímos sonreísteis sonrieron"}
IRREGULAR["hacer"] = {"pret": "hice hiciste hizo hicimos hicisteis hicieron"}

# First person of the present; the present subjunctive is built on it.
YO_FORMS = {
    "tener": "tengo",
    "hacer": "hago",
    "poner": "pongo",
    "salir": "salgo",
    "venir": "vengo",
    "decir": "digo",
    "traer": "traigo",
    "caer": "caigo",
    "oír": "oigo",
    "valer": "valgo",
}

FUTURE_STEMS = {
    "tener": "tendr",
    "hacer": "har",
    "poner": "pondr",
    "salir": "saldr",
    "venir": "vendr",
    "decir": "dir",
    "poder": "podr",
    "querer": "querr",
    "saber": "sabr",
    "haber": "habr",
    "valer": "valdr",
    "caber": "cabr",
}

PARTICIPLES = {
    "abrir": "abierto",
    "escribir": "escrito",
    "hacer": "hecho",
    "ver": "visto",
    "poner": "puesto",
    "decir": "dicho",
    "morir": "muerto",
    "romper": "roto",
    "volver": "vuelto",
    "resolver": "resuelto",
    "cubrir": "cubierto",
    "freír": "frito",
    "oír": "oído",
    "reír": "reído",
    "imprimir": "impreso",
}

# Verbs conjugated like another one behind a prefix.
PREFIXED = {
    "mantener": ("man", "tener"),
    "obtener": ("ob", "tener"),
    "detener": ("de", "tener"),
    "contener": ("con", "tener"),
    "sostener": ("sos", "tener"),
    "componer": ("com", "poner"),
    "proponer": ("pro", "poner"),
    "exponer": ("ex", "poner"),
    "imponer": ("im", "poner"),
    "suponer": ("su", "poner"),
    "disponer": ("dis", "poner"),
    "intervenir": ("inter", "venir"),
    "prevenir": ("pre", "venir"),
    "atraer": ("a", "traer"),
    "extraer": ("ex", "traer"),
    "describir": ("de", "scribir"),
    "inscribir": ("in", "scribir"),
    "descubrir": ("des", "cubrir"),
    "recubrir": ("re", "cubrir"),
    "devolver": ("de", "volver"),
    "envolver": ("en", "volver"),
    "sonreír": ("son", "reír"),
    "demostrar": ("de", "mostrar"),
    "aprobar": ("a", "probar"),
    "comprobar": ("com", "probar"),
    "despedir": ("des", "pedir"),
    "impedir": ("im", "pedir"),
    "perseguir": ("per", "seguir"),
    "conseguir": ("con", "seguir"),
    "recordar": ("re", "cordar"),
    "acordar": ("a", "cordar"),
    "renovar": ("re", "novar"),
    "comenzar": ("co", "menzar"),
    "extender": ("ex", "tender"),
    "atender": ("a", "tender"),
    "recomendar": ("reco", "mendar"),
    "reelegir": ("re", "elegir"),
}
PARTICIPLES["scribir"] = "scrito"

STEM_CHANGES = {
    verb: change
    for change, verbs in {
        "ie": """pensar cerrar empezar menzar calentar despertar negar regar sembrar sentar
            temblar gobernar manifestar defender perder entender encender tender querer mendar
            sentir preferir sugerir convertir invertir divertir mentir herir referir advertir
            hervir atravesar confesar apretar helar tropezar""",
        "ue": """contar encontrar mostrar probar costar volar soñar cordar almorzar rodar colgar
            tostar volver resolver mover morder doler poder llover morir dormir novar sonar
            rogar forzar soltar remover""",
        "i": """pedir servir seguir elegir medir repetir vestir corregir competir rendir
            despedir derretir""",
        "uue": "jugar",
    }.items()
    for verb in verbs.split()
}

# Verbs in -iar and -uar that stress the weak vowel: envío, actúo.
STRESSED_WEAK = frozenset(
    words("""
enviar criar guiar confiar fotografiar ampliar enfriar variar esquiar vaciar actuar continuar
situar evaluar efectuar
""")
)
