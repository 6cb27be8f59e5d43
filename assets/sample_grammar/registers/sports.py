"""Sport: chronicles of matches, races, transfers and injuries."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "deportes"

WORDS = """
player.p: delantero portero centrocampista lateral capitán goleador suplente canterano guardameta
 pívot alero base extremo central mediapunta escolta
athlete.p: tenista ciclista nadador atleta corredor gimnasta piragüista esquiador saltador lanzador
 escalador patinador regatista remero velocista maratoniano triatleta boxeador
coach.p: entrenador técnico preparador seleccionador
shot.m: cabezazo disparo penalti remate contraataque rechace zurdazo derechazo
shot.f: falta chilena volea vaselina jugada asistencia
injury.m: esguince tirón pinchazo golpe
injury.f: rotura lesión contractura fractura sobrecarga tendinitis distensión luxación
limb.m: tobillo hombro muslo codo pie gemelo abductor
limb.f: rodilla muñeca espalda cadera pierna ingle
match.m: partido encuentro derbi amistoso duelo choque
match.f: final semifinal eliminatoria
sport.m: fútbol baloncesto balonmano tenis ciclismo atletismo remo rugby voleibol waterpolo
sport.f: natación esgrima gimnasia vela halterofilia petanca
fans.f: afición grada hinchada peña
gear.m: balón silbato dorsal casco marcador banderín trofeo
gear.f: raqueta camiseta portería bicicleta pértiga red canasta
sporty.a: intenso vibrante ajustado trepidante disputado reñido emocionante igualado tenso
 apasionante entretenido espectacular
runner.p: corredor atleta velocista maratoniano triatleta marchador
trophy.m: trofeo torneo campeonato galardón premio título
trophy.f: medalla copa carrera
race.f: carrera etapa prueba maratón regata contrarreloj serie
win.v: vencer derrotar superar batir golear eliminar
train.v: entrenar correr calentar ensayar
"""

OPENINGS = templates("""
{el:club} {win*.pret@club} {score} [a|al conjunto de] {el:club2} [en {town}|este {weekday}|
 en {un:match} {sporty~match}|con dos goles de {per}].
{el:club} {ganar.pret@club} por {score} [a|ante] {el:club2} en {el:match} {disputar.part@match}
 este {weekday} en {town}.
{per} {ganar.pret} {el:cup} por delante de {per2} y de {per3}.
{el:athlete/per} {per} se {imponer.pret} este {weekday} en {el:race} de {town} [con autoridad|
 con un tiempo excelente|contra todo pronóstico].
{el:club} {fichar.perf@club} a {el:player/per} {per} por {million} millones de euros.
{el:player/per} {per} {ser.fut} baja [varias semanas|{#2-9} semanas|toda la temporada] por
 {un:injury} en {el:limb}.
{el:coach/per} {per} {dirigir.fut} a {el:club} la próxima temporada.
{el:club} y {el:club2} {empatar.pret@3p} a {#2-4} en {un:match} {sporty~match} de {el:tournament}.
""")

BODY = templates("""
{el:player/per} {per} {abrir.pret} el marcador en el minuto {minute} con {un:shot} [imparable|desde
 fuera del área|tras un saque de esquina|al borde del descanso].
{el:player/per} {marcar.pret} el segundo gol [poco después|tras el descanso|de penalti|de cabeza].
{per} {fallar.pret} un penalti y {el:fans} no se lo {perdonar.pret@fans}.
{el:coach/per3} {per3} {cambiar.pret} [el sistema|la defensa|a dos jugadores] en el descanso.
{el:coach/per3}, {per3}, {reconocer.pret} que el equipo [no mereció ganar|supo sufrir|necesita
 descansar|jugó su mejor {match} del año].
El portero {parar.pret} [{#2-5} disparos|un penalti|todo lo que le llegó] y {salvar.pret} a su
 equipo.
{el:fans} {cantar.pret@fans} y {animar.pret@fans} [sin descanso|hasta el final|desde el primer
 minuto].
El árbitro {expulsar.pret} a {per} por una [dura entrada|doble amarilla|protesta] en el minuto
 {minute}.
El equipo {entrenar.fut} mañana [a puerta cerrada|por la mañana|en {town}] antes de {el:match}.
{crowd} espectadores {llenar.pret@3p} [el estadio|las gradas|el pabellón] de {town}.
{el:runner/per} {correr.pret} los {meters} metros [con el viento en contra|bajo la lluvia|a un ritmo
 endiablado].
{per} {cruzar.pret} la meta [en solitario|con {#2-9} segundos de ventaja|entre aplausos] y
 {levantar.pret} los brazos.
{el:athlete/per} {per} {batir.pret} el récord de España y {soñar.pres} con {el:cup}.
{per} y {per2} {disputar.fut@3p} la final de {el:cup} en {town}.
{el:tournament} {comenzar.fut@tournament} el {date} en {town}, en {town#1}.
La clasificación queda así: {el:club}, {#40-60} puntos; {el:club2}, {#13-39}.
El médico del club {confirmar.pret} {un:injury} en {el:limb} y {anunciar.pret} {#2-9} semanas de
 baja.
Con esta victoria, {el:club} {sumar.pres@club} {#3-12} partidos sin perder en {el:tournament}.
{el:club2} {acusar.pret@club2} el cansancio y {perder.pret@club2} el balón con facilidad.
{el:smallclub} {recibir.fut@smallclub} a {el:club} en la primera ronda de {el:tournament}.
{el:sport} {ser.pres@sport} la gran pasión de {per2}, que {competir.pres} desde {niño~per2} en
 {town}.
{el:player/per} se {retirar.pret} del campo con molestias en {el:limb}.
{el:match} {ser.pret@match} muy {sporty~match} y se {decidir.pret@match} en los últimos minutos.
No hubo goles, pero sí muchas ocasiones y {un:gear} {romper.part@gear}.
Después de {train*.inf} {#2-5} horas, {el:player/per} {guardar.pret} {el:gear} en el vestuario.
{el:player/per} {volver.pret} al campo tras superar {un:injury} en {el:limb}.
""")

CLOSINGS = templates("""
La siguiente jornada {ser.fut} el {weekday} en {town2}.
{el:club} {visitar.fut@club} a {el:club2} dentro de {#2-9} días.
«[Estamos muy contentos|Hay que seguir trabajando|El equipo lo ha dado todo|La afición merecía esta
 alegría]», {decir.pret} {per} al terminar.
¿{poder.fut@club} {el:club} ganar {el:tournament}? {el:fans} {soñar.pres@fans} con ello.
¡Qué final! {per} {levantar.pret} el trofeo ante su gente.
""")
