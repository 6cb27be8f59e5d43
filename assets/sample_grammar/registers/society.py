"""Society: accidents, crime, weather, neighbours and schools."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "sociedad"

WORDS = """
rescuer.p: bombero sanitario socorrista voluntario enfermero camillero buceador rescatador
officer.p: policía/policía guardia/guardia agente/agente detective/detective inspector comisario
 patrullero
victim.p: vecino conductor motorista repartidor turista senderista veraneante/veraneante
 peatón/peatona montañero
 inquilino pasajero transeúnte/transeúnte
thief.p: ladrón/ladrona estafador atracador sospechoso carterista
disaster.m: incendio accidente derrumbe apagón escape_de_gas choque hundimiento
disaster.f: inundación explosión fuga_de_agua colisión avería
storm.m: terremoto temporal huracán aguacero vendaval
storm.f: tormenta riada nevada granizada ola_de_calor avalancha
crime.m: robo atraco secuestro asalto fraude
crime.f: estafa agresión pelea amenaza
building.m: edificio garaje portal bar almacén colegio restaurante cine
building.f: vivienda joyería farmacia gasolinera estación nave panadería
outside.m: camping polígono túnel aparcamiento bosque
outside.f: carretera autopista playa calle rotonda obra
evidence.f: huella navaja mochila llave pistola furgoneta+robado cámara_de_seguridad
evidence.m: maletín guante teléfono bolso coche+robado pasamontañas
welfare.f: guardería escuela+infantil oficina_de_correos parada_de_autobús plaza
welfare.m: comedor+social ambulatorio centro_de_día parque mercado consultorio
shelter.f: residencia parroquia nave+municipal tienda_de_campaña
shelter.m: albergue polideportivo hotel colegio hostal pabellón
hurt.a: herido ileso asustado grave leve atrapado
rescue.v: rescatar evacuar atender ayudar trasladar
arrest.v: detener identificar buscar interrogar perseguir
"""

OPENINGS = templates("""
{los:rescuer} {rescue*.pret@rescuer} a {#2-40} personas en {un:disaster} en {un:building} de {town}.
{un:storm} {obligar.pret@storm} a cortar [la carretera|el tráfico|el agua] en {town}.
{el:police} {arrest*.pret@police} a {un:thief} por {un:crime} en {un:building} de {quarter}.
{un:victim} de {age} años {resultar.pret@victim} {hurt~victim} en {un:disaster} en
 {un:outside} de {town}.
{per}, {-:victim/per} de {town}, {desaparecer.pret} [ayer|el {weekday}|el {date}] cerca de
 {el:river}.
{el:court} {condenar.pret@court} a {#2-12} años de cárcel a {per} por {un:crime}.
{los:victim} de {quarter} {protestar.pret@victim} contra el cierre de {el:welfare}.
""")

BODY = templates("""
{el:disaster} {comenzar.pret@disaster} sobre {hour} de la madrugada en {un:building}.
{los:rescuer} {llegar.pret@rescuer} en pocos minutos y {rescue*.pret@rescuer} a {los:victim}.
{#2-12} personas fueron trasladadas a {el:hospital}, una de ellas muy grave.
{el:thief} {huir.pret@thief} con {un:evidence}, pero {los:officer} {lo~thief}
 {arrest*.pret@officer}.
{per}, que {pasar.imp} por {el:outside}, {oír.pret} los gritos y {llamar.pret} al 112.
Los agentes {encontrar.pret@3p} {un:evidence} en {el:building}.
{el:victim/per2} {per2} {haber.imp} salido de casa a {hour}.
{el:disaster} {dejar.pret@disaster} {#2-9} heridos y muchos daños en {el:building}.
{el:rescuer/per3} {per3} {explicar.pret} que {el:disaster} {estar.pres@disaster} [bajo control|sin
 causa conocida].
{los:victim} {pasar.pret@victim} la noche en {un:shelter} de {town} por {el:storm}.
{el:school} {suspender.pret@school} las clases por {el:storm}.
{el:union} {pedir.pres@union} más {-s:rescuer} y más luz en {quarter}.
El juez {enviar.pret} a prisión a {el:thief} por {el:crime}.
{el:police} {seguir.pres@police} la pista de {un:evidence} {hallar.part@evidence} en {town2}.
El viento, de {#60-120} kilómetros por hora, {derribar.pret} {#2-9} árboles en {town}.
{el:townhall} {abrir.pret@townhall} {un:shelter} para las familias afectadas.
{los:rescuer} {buscar.pres@rescuer} a {per} con perros y drones.
{el:victim} {estar.pres@victim} {hurt~victim}, según {el:hospital}.
Nadie {ver.pret} a {el:thief} entrar en {el:building}.
{los:thief} {romper.pret@thief} la puerta de {el:building} y se {llevar.pret@thief} {euros} euros.
En {el:shelter}, los vecinos {repartir.pret@3p} mantas y caldo.
{el:river} se {desbordar.pret} a su paso por {town} e {inundar.pret} {el:building}.
""")

CLOSINGS = templates("""
La policía {investigar.pres} las causas.
El funeral {ser.fut} mañana en {town}.
«[Fue todo muy rápido|Pasamos mucho miedo|Hemos vuelto a nacer|Queremos justicia]», {contar.pret}
 {per}.
¿Por qué no {funcionar.pret} la alarma de {el:building}?
{los:victim} ya {estar.pres@victim} en casa.
""")
