"""Politics: parliaments, elections, town halls."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "política"

WORDS = """
politician.p: ministro diputado senador alcalde/alcaldesa consejero portavoz/portavoz
 concejal/concejala
 candidato líder/líder presidente/presidenta secretario+general vicepresidente/vicepresidenta
 delegado
 eurodiputado gobernador embajador subsecretario
bill.f: ley reforma propuesta enmienda moción ordenanza iniciativa normativa
bill.m: decreto pacto presupuesto acuerdo plan proyecto estatuto reglamento
policy.f: vivienda educación sanidad igualdad dependencia cultura juventud limpieza
policy.m: empleo transporte turismo comercio deporte alumbrado
chambers.m: pleno debate mitin discurso congreso consejo_de_ministros
chambers.f: comisión sesión votación reunión asamblea cumbre
vote.f: elección votación campaña consulta investidura
vote.m: referéndum escrutinio plebiscito debate recuento
political.a: parlamentario constitucional electoral autonómico municipal federal progresista
 conservador liberal socialista republicano democrático centrista
approve.v: aprobar rechazar debatir votar tramitar ratificar derogar impulsar
say.v: anunciar asegurar afirmar declarar explicar confirmar advertir señalar subrayar
stance.a: partidario contrario favorable crítico
citizens.m: ciudadano votante contribuyente pensionista jubilado militante simpatizante
citizens.f: familia
"""

OPENINGS = templates("""
{el:politician/per} {per} {say*.pret} [ayer|este {weekday}|hoy] que el Gobierno {approve*.fut}
 {un:bill} sobre {policy}.
{el:party} {approve*.fut@party} {el:bill} de {policy} [en el Parlamento|en el próximo pleno|antes de
 {month}].
El Parlamento {aprobar.pret} {el:bill} de {policy} con {#40-180} votos a favor y {#13-39} en contra.
{per}, {-:politician/per} de {el:party}, {presentar.pret} {un:bill} {political~bill} para proteger
 {el:policy}.
{el:townhall} {destinar.fut@townhall} {million} millones de euros a {policy}.
{el:ministry} {convocar.pret@ministry} a {el:union} para negociar {el:bill} de {policy}.
{el:party} y {el:party2} {firmar.pret@3p} {un:bill} sobre {policy} [en {town}|de madrugada|tras
 meses de
 negociación].
{per} {ganar.pret} las elecciones en {town} con el {#30-60} % de los votos.
""")

BODY = templates("""
{el:bill} {political~bill} {entrar.fut@bill} en vigor el {date}.
La oposición, encabezada por {per2}, {criticar.pret} {el:bill} y {pedir.pret} la dimisión de {per}.
{per2}, de {el:party2}, {acusar.pret} al Gobierno de [mentir|olvidar a
 {los:citizens}|improvisar|romper
 {el:bill}].
{los:politician} de {el:party} {votar.pret@politician} [a favor|en contra] de {el:bill}.
{los:citizens} {tener.pres@citizens} derecho a conocer {el:bill}, {recordar.pret}
 {el:politician/per}.
Según una encuesta, el {#20-70} % de {los:citizens} {ser.pres@3s} {stance~m} a {el:bill}.
{el:politician/per} {per} {viajar.fut} a {town} para reunirse con {el:politician2/per3} {per3}.
{el~per4} portavoz de {el:party}, {per4}, {pedir.pret} un pacto de Estado sobre {policy}.
{el:chambers} {durar.pret@chambers} más de {#3-9} horas y {terminar.pret@chambers} [sin
 acuerdo|entre
 aplausos|con gritos].
{el:law} {reconocer.pres@law} el derecho de {los:citizens} a una vivienda digna.
El Gobierno {reformar.fut} {el:law} [antes del verano|con el apoyo de {el:party2}|si hay consenso].
{per} {dimitir.pret} de su cargo tras perder las elecciones en {town}.
La campaña electoral {empezar.fut} en {town} el {date}.
{el:vote} {political~vote} {ser.fut@vote} en {month}, {say*.pret} {el:politician/per}.
¿{tener.fut@3s} el Gobierno votos suficientes para aprobar {el:bill}?
{el:politician/per} {inaugurar.pret} en {town} una oficina para atender a {los:citizens}.
{el:townhall} {prohibir.fut@townhall} los pisos turísticos en el centro.
Los sindicatos {convocar.perf@3p} una huelga general contra {el:bill}.
El presidente {nombrar.pret} a {per3} {delegado~per3} del Gobierno en {town}.
{el:court} {investigar.pres@court} a {per2} por un presunto caso de corrupción.
{el:politician/per} {responder.pret} a {los:citizens} y {defender.pret} {el:bill} [con firmeza|en
 la tribuna
 |ante la prensa].
""")

CLOSINGS = templates("""
El debate {continuar.fut} el {weekday} en el Senado.
«[No habrá más impuestos|Escucharemos a la gente|El diálogo es el único camino|Cumpliremos nuestro
 programa]», {decir.pret} {per}.
{el:party} {decidir.fut@party} su voto en los próximos días.
{per2} {exigir.pret} elecciones anticipadas. {per} {negar.pret} esa posibilidad.
{los:citizens} {esperar.pres@citizens} una solución.
""")
