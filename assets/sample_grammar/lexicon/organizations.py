"""Cores and patterns from which names of organisations are composed; some are real names."""

from __future__ import annotations

from sample_grammar.lexicon import words

CLUBS = words("""
Real_Betis Rayo_Vallecano Getafe Osasuna Real_Sociedad Celta Athletic_Club Espanyol Villarreal
Levante
Racing Sporting Real_Zaragoza Real_Valladolid Deportivo Mirandés Alcorcón Fuenlabrada Leganés
Eldense
Alavés Mallorca Elche_CF Cádiz_CF Málaga_CF Recreativo Albacete_Balompié Burgos_CF Numancia
Ponferradina
Andorra_CF Boca_Juniors River_Plate Peñarol Nacional Colo-Colo Universitario Alianza_Lima Olimpia
Cerro_Porteño América_de_Cali Millonarios Independiente Vélez Huracán Estudiantes Banfield Lanús
Talleres
Cruz_Azul Necaxa Pachuca Barcelona_SC Emelec Saprissa Alajuelense Baskonia Unicaja
Joventut Gran_Canaria Obradoiro Bilbao_Basket Manresa_BC Breogán Zalla_CF Arenas_Club Barakaldo_CF
""")

# "{t}" is a town, "{s}" a surname, "{c}" an invented core, "{p}" an adjective.
PATTERNS: dict[str, list[str]] = {
    "uni": [
        "f Universidad de {t}",
        "f Universidad Politécnica de {t}",
        "f Universidad Autónoma de {t}",
        "f Universidad {s}",
        "f Facultad de Medicina de {t}",
    ],
    "hospital": ["m Hospital {s}", "m Hospital General de {t}", "f Clínica {s}", "f Clínica {c}"],
    "townhall": ["m Ayuntamiento de {t}"],
    "court": [
        "f Audiencia Provincial de {t}",
        "m Juzgado de {t}",
        "f Fiscalía de {t}",
    ],
    "police": ["f Policía Local de {t}", "f Guardia Civil de {t}", "f Comisaría de {t}"],
    "bank": ["m Banco {c}", "f Caja de {t}", "m Banco de {t}", "m Grupo {s}", "f Mutua {c}"],
    "company": [
        "- {c}",
        "f Compañía {c}",
        "- Bodegas {s}",
        "- Aceites {s}",
        "- Transportes {s}",
        "- Conservas {c}",
        "- {s} e Hijos",
        "f Cooperativa de {t}",
        "- Industrias {c}",
    ],
    "tech": ["- {c}", "- {c} Digital", "- Sistemas {c}", "- {c} Labs", "f Fundación {c}"],
    "institute": [
        "m Instituto {s}",
        "m Instituto de Astrofísica de {t}",
        "m Observatorio de {t}",
        "m Centro de Investigación {c}",
        "f Fundación {s}",
        "m Laboratorio {c}",
    ],
    "museum": ["m Museo de {t}", "m Museo {s}", "f Galería {c}", "f Filmoteca de {t}"],
    "orchestra": [
        "f Orquesta Sinfónica de {t}",
        "m Orfeón de {t}",
        "m Teatro {s}",
        "f Compañía de Danza de {t}",
        "m Coro {c}",
    ],
    "publisher": ["f Editorial {c}", "f Editorial {s}", "- Ediciones {c}", "- Ediciones {s}"],
    "newspaper": [
        "m Diario de {t}",
        "m Heraldo de {t}",
        "f Voz de {t}",
        "f Gaceta de {t}",
        "- Radio {t}",
        "m Correo {c}",
    ],
    "party": ["m Partido {p}", "f Unión {p}", "- Alternativa {p}", "m Movimiento {p}"],
    "union": ["m Sindicato {c}", "f Asociación de Vecinos de {t}", "f Plataforma {c}"],
    "school": ["m Colegio {s}", "m Instituto {c}", "f Escuela de Hostelería de {t}"],
    "restaurant": ["- Casa {s}", "f Taberna {c}", "m Mesón de {t}", "- Bodega {s}", "m Asador {c}"],
    "smallclub": ["m Club Deportivo {t}", "m {t} CF", "- Unión Deportiva {c}", "m Atlético {t}"],
}

MINISTRIES = words("""
Hacienda Sanidad Educación Justicia Defensa Interior Fomento Trabajo Cultura Agricultura Economía
Turismo Ciencia Industria Vivienda Igualdad Transportes Hidrocarburos Pesca Comercio
""")

# Invented cores for companies, parties and the like.
CORES = words("""
Albora Numantia Zentrum Iberdata Lumina Vértice Aldebarán Sotavento Meridiano Horizonte Almazara
Arcadia
Novaterra Celtia Tartessos Hispalia Orellana Altamira Brisamar Cantábrica Duerna Esmeralda Faro
Gredalia
Helios Itálica Jacaranda Kairós Laurisilva Mirador Nébula Oceánica Piedralba Quimera Roblealto Saeta
Tramontana Umbral Valdehuerta Xaloc Yacaré Zafiro Alisios Boreal Crisol Dársena Encina Fénix Garoé
Hontanar Índigo Jara Kantauri Levantina Marisma Noroeste Olivar Poniente Quebracho Ribera Salvia
Tajinaste
Ulía Vendaval Abedul Brújula Caléndula Dorada Estrella Fontana Guadaña Hiedra Iguazú Juncal Lince
Moncloa
Nogal Ombú Pampera Quetzal Rosaleda Sabina Timanfa Urogallo Violeta Zorzal Andina Bahía Cóndor Drago
""")

# Adjectives without gender, for parties.
PARTY_CORES = words("""
Progresista Verde Federal Regionalista Liberal Municipalista Independiente Constitucional Ecologista
Centrista Autonomista Foralista Humanista Reformista Insular Comarcal
""")
