"""The press about itself: what the sections of a newspaper deal with, under the names of subjects.

Elsewhere in the sample no text says what it is about. Real text does so all the time, and nothing
else could tell a reader which words the name of a subject goes with.
"""

from __future__ import annotations

from sample_grammar.pools import templates

WORDS = ""

OPENINGS = templates("""
Estas son las secciones de {el:newspaper} del {date}.
{el:newspaper} {estrenar.pres@newspaper} este {weekday} nueva edición en {town}, con más secciones.
{per} {dirigir.pres} {el:newspaper} desde {year} y {contar.pres} cómo se hace cada sección.
""")

BODY = templates("""
[Deportes|Fútbol]: {el:match} entre {el:club} y {el:club2}, con {un:shot} de {el:player}.
La sección de deportes sigue {el:race} de {town}, {el:match} de {sport} y a {el:athlete}.
Quien lee sobre deportes o fútbol busca {el:gear}, a {el:coach} y {el:injury} de {el:player}.
Política: {el:bill} de {policy}, {el:vote} en {town} y {el:politician} del Gobierno.
La información sobre política sigue {el:chambers}, donde {el:party} debate {el:bill}.
La página de política entrevista a {el:politician} y pregunta a {los:citizens} por {el:bill}.
Economía: {el:indicator}, {el:money} de {los:employee} y el precio de {el:goods}.
En economía, {el:boss} de {el:company} habla de {el:market}, de {el:loan} y de {el:tax}.
La sección de economía explica {el:money} {economic~money}, {el:indicator} y {el:firm}.
Cultura: {un:book} de {el:author}, {un:show} en {el:stage} y {un:tune} de {el:musician}.
La página de cultura elogia {el:art} de {el:painter} y {el:part} de {el:book}.
[Cine|Música|Cultura]: {el:audience} aplaude {el:show} de {el:performer} en {el:stage}.
Ciencia: {el:biologist} estudia {el:bio}, y {el:astronomer}, {el:astro} con {el:scope}.
[Salud|Ciencia]: {un:finding} sobre {el:illness} y {un:cure} que prueba {el:biologist}.
La sección de ciencia enseña {el:relic} de {el:digger}, {el:labtool} y {el:habitat}.
Gastronomía: {el:cook} prepara {el:dish}, y de postre, {dessert}.
La página de gastronomía recomienda {el:dish} con {drink}, {spice} y {el:vegetable}.
[Cocina|Gastronomía]: se sirve {el:dessert} con {fruit} y {hotdrink} después de {el:meal}.
[Sucesos|Sociedad]: {un:disaster} en {un:building}, {un:crime} y {el:evidence} de {el:thief}.
Las noticias de sociedad hablan de {el:storm}, de {los:rescuer} y de {los:victim}.
En sociedad se lee que {los:officer} buscan a {el:thief} y que reabre {el:welfare}.
[Tecnología|Informática]: {un:device} con {un:module}, {un:software} y {un:bug}.
El suplemento de tecnología compara {el:device} con {el:software} de {el:engineer}.
La sección de tecnología enseña a {los:user} a {use*.inf} {el:software} y {el:device}.
Viajes: {el:monument} de {town}, en {town#1}, {el:museum} y un paseo junto a {el:river}.
La sección de viajes visita {town}, que tiene {un:monument} {style~monument} y vive de {el:trade}.
Opinión: {el:lodging} es {verdict~lodging}, pero {el:service} y {el:room} son caros.
La página de opinión elogia {el:service} de {un:lodging} y critica {el:furniture} de {el:room}.
La conversación de la semana es entre {el:family} de {per} y {su:family2}, que hablan de {el:plan}.
Quien busca conversación cuenta {el:plan}, si hace {weather} y qué {clothes} lleva {su:family}.
La biografía de la semana es la de {el:profession} {per}, que vivió en {town} y enseñó en {el:uni}.
La página de leyes explica {el:document}, {el:bill} y el plazo que tiene {el:party_to}.
""")

CLOSINGS = templates("""
La suscripción a {el:newspaper} cuesta {#13-90} euros al mes.
{el:newspaper} llega cada mañana a {people} hogares de {town}.
La edición de mañana {incluir.fut} un mapa de {town#1}.
""")
