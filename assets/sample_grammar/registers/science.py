"""Science: discoveries, missions, experiments and health."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "ciencia"

WORDS = """
scientist.p: científico investigador físico geólogo matemático oceanógrafo meteorólogo ingeniero
 climatólogo doctorando
biologist.p: biólogo químico neurólogo bioquímico botánico genetista zoólogo virólogo médico
 farmacólogo
astronomer.p: astrónomo astrofísico cosmólogo astronauta observador
digger.p: paleontólogo arqueólogo antropólogo geólogo espeleólogo
astro.f: galaxia estrella nebulosa luna supernova constelación
astro.m: planeta cometa asteroide agujero+negro meteorito exoplaneta
bio.f: molécula bacteria neurona proteína célula enzima hormona mutación
bio.m: gen virus hongo anticuerpo cromosoma parásito tejido
relic.m: fósil dinosaurio cráneo mamut esqueleto diente colmillo
relic.f: vértebra huella mandíbula vasija herramienta_de_piedra tumba
scope.m: telescopio satélite radar radiotelescopio
scope.f: sonda antena cámara+infrarrojo parábola
labtool.m: microscopio espectrómetro láser termómetro tubo_de_ensayo
labtool.f: probeta centrifugadora balanza pipeta placa
illness.f: diabetes malaria gripe alergia anemia tuberculosis artritis
illness.m: cáncer alzhéimer asma párkinson
finding.m: hallazgo experimento estudio ensayo análisis cálculo
finding.f: hipótesis teoría observación medición investigación
starry.a: lejano gaseoso helado rocoso brillante oscuro gigante solitario
cellular.a: genético tóxico microscópico resistente maligno raro desconocido invisible
ancient.a: prehistórico enorme completo diminuto intacto antiguo
cure.m: medicamento tratamiento fármaco antibiótico trasplante
cure.f: vacuna terapia dieta
habitat.m: océano desierto glaciar volcán polo arrecife
habitat.f: selva cueva laguna marisma
"""

OPENINGS = templates("""
Un equipo de {el:uni} {haber.pres} [descubierto|identificado|estudiado] {un:bio} {cellular~bio} en
 {town}.
{el:astronomer/per} {per} {descubrir.pret} {un:astro} {starry~astro} con {un:scope}
 {instalar.part@scope} en {town}.
{el:digger/per} {per} {encontrar.pret} {un:relic} {ancient~relic} cerca de {town}, en {town#1}.
{el:institute} {identificar.pret@institute} {un:bio} que {poder.cond} explicar {el:illness}.
{los:biologist} de {el:uni} {probar.pres@biologist} {un:cure} contra {el:illness}.
La misión {mission} {fotografiar.fut} {un:astro} a {million} millones de kilómetros de la Tierra.
{per}, {-:scientist/per} de {el:institute}, {publicar.perf} {un:finding} sobre {el:habitat}.
{un:cure} {frenar.pres@cure} {el:illness}, según {un:finding} de {el:hospital}.
""")

BODY = templates("""
{el:astro} {medir.pres@astro} unos {#13-900} kilómetros y {girar.pres@astro} muy despacio.
{el:finding} {demostrar.pres@finding} que {el:bio} {cambiar.pres@bio} con la temperatura.
{los:biologist} {utilizar.pret@biologist} {un:labtool} para medir {el:bio}.
{per2} {calcular.pret} que {el:relic} {tener.pres@relic} {million} millones de años.
{el:scientist/per} {recoger.pret} {#13-90} muestras en {el:habitat} y las {analizar.pret} en {town}.
{el:cure} {reducir.pret@cure} {el:illness} en el {#20-90} % de los pacientes.
{el:bio} {vivir.pres@bio} en {el:habitat}, a {degrees} grados bajo cero.
{el:scope} {captar.pret@scope} la señal de {un:astro} {starry~astro}.
{los:biologist} {creer.pres@biologist} que {el:finding} {ayudar.fut@finding} a curar {el:illness}.
{el:illness} {afectar.pres@illness} a {million} millones de personas, {recordar.pret} {per}.
{el:finding} se {publicar.pret@finding} en {month} y {abrir.pres@finding} un nuevo campo.
{per} {recibir.pret} un premio internacional por sus trabajos sobre {el:illness}.
{el:scope} de {el:institute} {pesar.pres@scope} {#13-90} toneladas.
El {#20-80} % de las especies de {el:habitat} {haber.pres@3s} desaparecido.
¿Hay agua en {el:astro}? {per2} {creer.pres} que no.
{el:finding} {durar.pret@finding} {#2-9} años y {contar.pret@finding} con {people} voluntarios.
{mission} {despegar.fut} el {date} con {#2-7} astronautas a bordo.
{los:astro} {absorber.pres@astro} la luz de {el:astro2} y {emitir.pres@astro} calor.
{el:biologist/per} {comparar.pret} {el:bio} con {el:bio2} y no {encontrar.pret} diferencias.
En el laboratorio, {los:biologist} {calentar.pres@biologist} {el:bio} a {degrees} grados.
{per} {dirigir.pres} {el:institute} desde {year}.
{el:relic} {aparecer.pret@relic} en {un:habitat} a {meters} metros de altura.
{el:digger/per} {limpiar.pret} {el:relic} con un pincel y {lo~relic} {guardar.pret} en una caja.
{el:labtool} {medir.pres@labtool} la masa de {el:bio} con gran precisión.
""")

CLOSINGS = templates("""
El siguiente paso {ser.fut} repetir {el:finding} con más datos.
«[Es un resultado inesperado|Queda mucho por entender|La ciencia avanza despacio|Los datos hablan
 por
 sí solos]», {explicar.pret} {per}.
{el:bio} {seguir.pres@bio} siendo un misterio.
El equipo {publicar.fut} los resultados en {month}.
¿De dónde {venir.pres@astro} {el:astro}? Nadie lo sabe todavía.
""")
