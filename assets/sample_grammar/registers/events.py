"""Events of which entailment pairs are made, and sentences that tell no topic."""

from __future__ import annotations

from dataclasses import dataclass

from sample_grammar.pools import templates


@dataclass(frozen=True)
class Event:
    """Somebody did something to a number of things somewhere.

    Args:
        agent: noun for the person who did it; the person is the role `per`.
        verb, synonym, opposite: infinitives.
        thing: class of the things; the noun stands in the plural.
        kind: what the things are in general.
        measure: words between the number and the things ("raciones de").
        people: whether the object takes "a", being persons.
    """

    agent: str
    verb: str
    synonym: str
    opposite: str
    thing: str
    kind: str
    measure: str = ""
    people: bool = False

    def object(self, number: str) -> str:
        """The object with a number (a role such as `num`)."""
        marker = "a " if self.people else ""
        if self.measure:
            return f"{marker}{{{number}}} {self.measure} de {{{self.thing}}}"
        return f"{marker}{{{number}}} {{-s:{self.thing}}}"

    @property
    def general(self) -> str:
        """The object in general terms."""
        return f"{'a ' if self.people else ''}{self.kind}"


EVENTS = (
    Event("player", "ganar", "conseguir", "perder", "trophy", "varios premios"),
    Event("politician", "aprobar", "ratificar", "rechazar", "bill", "varias normas"),
    Event("boss", "comprar", "adquirir", "vender", "firm", "varios negocios"),
    Event("boss", "contratar", "emplear", "despedir", "employee", "varias personas", people=True),
    Event("author", "escribir", "redactar", "quemar", "book", "varios textos"),
    Event("painter", "terminar", "acabar", "empezar", "art", "varias obras de arte"),
    Event("digger", "encontrar", "hallar", "perder", "relic", "varios restos antiguos"),
    Event("biologist", "analizar", "estudiar", "ignorar", "bio", "varias muestras"),
    Event("cook", "preparar", "elaborar", "tirar", "dish", "comida", "raciones"),
    Event("cook", "comprar", "adquirir", "vender", "vegetable", "comida", "kilos"),
    Event("rescuer", "rescatar", "salvar", "abandonar", "victim", "varias personas", people=True),
    Event("officer", "detener", "arrestar", "liberar", "thief", "varias personas", people=True),
    Event("engineer", "reparar", "arreglar", "romper", "device", "varios aparatos"),
    Event("engineer", "encender", "conectar", "apagar", "device", "varios aparatos"),
    Event("engineer", "instalar", "montar", "retirar", "software", "varios programas"),
    Event("worker", "fabricar", "construir", "destruir", "furniture", "varios muebles"),
    Event("worker", "plantar", "sembrar", "talar", "tree", "varios árboles"),
    Event("worker", "alimentar", "nutrir", "abandonar", "animal", "varios animales"),
    Event("family", "perder", "extraviar", "encontrar", "clothes", "ropa"),
    Event("family", "comprar", "adquirir", "vender", "vehicle", "varios vehículos"),
    Event("musician", "componer", "crear", "olvidar", "tune", "música"),
    Event("performer", "elogiar", "alabar", "criticar", "show", "varias obras"),
    Event("astronomer", "observar", "contemplar", "ignorar", "astro", "varios cuerpos celestes"),
    Event("scientist", "publicar", "difundir", "ocultar", "finding", "varios trabajos"),
)

# What may stand before and after the event in any premise.
LEADS = ("", "", "", "Este {weekday}, ", "Según {el:newspaper}, ", "Ayer, ", "En {month}, ")
TAILS = ("", "", " delante de {per2!full}", " antes de volver a casa")

# Texts that say nothing about a topic.
VAGUE = templates("""
{per} y {per2} se {conocer.pres@3p} desde {year}.
Llegaron ayer a {town} y hablaron un rato.
{per} {esperar.pret} a {per2} hasta {hour}.
El {date} {ser.fut} {weekday}, dijo {per}.
{per} no {querer.pret} contestar y se {marchar.pret} con {su:family}.
Hacía {weather} en {town} y nadie salió de casa.
{el:family/per} de {per2!full} {vivir.pres} cerca de {quarter}.
Nos vimos en {town} a {hour}, como siempre.
{per} {tener.pres} {age} años y {ser.pres} de {town}.
¿Te acuerdas de {per}? Yo tampoco.
{per} {llegar.pret} tarde porque {perder.pret} {el:vehicle}.
Todavía no se sabe nada de lo que {ocurrir.pret} en {town}.
{per} {guardar.pret} {el:clothes} en {el:furniture}.
Había {un:animal} en {el:room} de {per}.
{per} {estar.imp} {mood~per} y {per2}, {mood~per2}.
El viaje de {town} a {town2} {durar.pret} {#3-12} horas.
{per!first} {llamar.pret} a {per2!first} {#2-9} veces.
Mañana {ser.fut} otro día, {pensar.pret} {per}.
Han pasado {#2-9} meses desde entonces.
{per} {dejar.pret} {el:clothes} {color~clothes} sobre {el:furniture}.
""")

# Ways to name the topic of a text, with the weight of each; `{}` is the name of a topic.
TOPIC_HYPOTHESES = (
    "Este ejemplo es de {}.",
    "Este ejemplo es de {}.",
    "Este ejemplo es de {}.",
    "Este texto habla de {}.",
    "Esta noticia es de {}.",
    "El texto trata de {}.",
)
SYNONYMS = {
    "deportes": "deporte",
    "política": "asuntos políticos",
    "economía": "finanzas",
    "cultura": "arte",
    "ciencia": "investigación",
    "gastronomía": "cocina",
    "sociedad": "sucesos",
    "tecnología": "informática",
}
