"""Culture: books, films, music, theatre and exhibitions."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "cultura"

WORDS = """
author.p: escritor novelista poeta/poeta ensayista narrador guionista cuentista cronista dramaturgo
performer.p: actor/actriz bailarín director cineasta coreógrafo tenor/soprano realizador
 titiritero mimo humorista
painter.p: pintor escultor fotógrafo ilustrador dibujante ceramista grabador acuarelista retratista
musician.p: guitarrista pianista violinista músico compositor cantante cantaor flautista chelista
 trompetista
book.f: novela antología biografía leyenda trilogía
book.m: libro poemario ensayo cuento relato diario cómic
show.f: película obra comedia tragedia zarzuela ópera serie farsa
show.m: ballet documental drama cortometraje musical monólogo
art.f: exposición escultura fotografía acuarela estatua colección
art.m: cuadro retrato mural grabado lienzo dibujo bodegón
tune.f: canción sinfonía balada sonata copla
tune.m: disco concierto bolero himno villancico vals
plot.f: guerra infancia amistad soledad emigración venganza vejez maternidad
plot.m: amor exilio duelo olvido destino desamor regreso
stage.m: teatro auditorio cine festival palacio casino
stage.f: sala filmoteca plaza carpa
audience.m: público espectador jurado
audience.f: crítica prensa gente
artistic.a: poético bello célebre hermoso oscuro breve sombrío luminoso melancólico lírico
 delicado emotivo
praise.v: aplaudir elogiar celebrar ovacionar
part.m: personaje verso capítulo argumento estribillo final
part.f: escena melodía página rima trama voz
"""

OPENINGS = templates("""
{el:author/per} {per} {presentar.pret} [anoche|este {weekday}|ayer] en {town} {su:book} «{title}».
{el:author/per} {per} {ganar.pret} {el:prize} por «{title}», {un:book} sobre {el:plot}.
{el:performer/per} {per} {estrenar.pret} en {el:stage} de {town} «{title}», {un:show} sobre
 {el:plot}.
{el:museum} {exponer.fut@museum} {#13-90} obras de {el:painter/per} {per} hasta {month}.
{el:orchestra} {interpretar.fut@orchestra} «{song}» en {el:festival} de {town}.
«{title}», la última película de {per}, {llegar.pres} este {weekday} a los cines.
{el:publisher} {publicar.perf@publisher} «{title}», {un:book} de {per}.
{el:festival} de {town} {reunir.fut@festival} a {#13-80} artistas de {town#1}.
{el:musician/per} {per} {actuar.fut} en {town} el {date} con las canciones de «{song}».
""")

BODY = templates("""
{el:book} {contar.pres@book} una historia de {plot} en {town}.
{el:show} {contar.pres@show} una historia de {plot} y {plot2}.
{el:audience} {praise*.pret@audience} {el:show} durante {#3-12} minutos.
{per} {nacer.pret} en {town} en {year} y {estudiar.pret} en {el:school}.
{el:author/per} {escribir.pret} {el:part} más {artistic~part} de {su:book} en {town2}.
{el:part} {artistic~part} de {el:show} {emocionar.pret@part} a {el:audience}.
{el:author/per} {dedicar.pret} {el:book} a su [madre|padre|abuela|maestro].
{per2} {interpretar.pres} el papel principal de {el:show}.
La crítica de {el:newspaper} {elogiar.pret} {el:part} y {el:part2} de {el:book}.
{el:show} {ser.pres@show} muy {artistic~show} y {recordar.pres@show} a «{title2}», de {per3}.
{el:stage} {abrir.fut@stage} sus puertas de 10 a 20 horas.
{el:painter/per} {pintar.pret} {el:art} en {year}, en su casa de {quarter}.
{el:painter/per} {firmar.pret} {el:art} con letra pequeña y {lo~art} {donar.pret} a {el:museum}.
{el:musician/per} {haber.pres} {grabar.part} {#2-9} discos y {componer.part} más de {#40-200}
 canciones.
{el:musician/per} {tocar.pret} {un:tune} {artistic~tune} y {el:audience} {aplaudir.pret@audience}.
En {el:stage} {haber.imp} {people} personas, y todas {praise*.pret@3p} a {per}.
{per} {recibir.fut} {el:prize} de manos de {per3} en {el:stage}.
{el:publisher} {vender.perf@publisher} {#2000-90000} ejemplares de «{title}».
{el:musician/per} y {per2} {cantar.pret@3p} «{song}» al final.
{el:book} {estar.pres@book} {inspirar.part@book} en {el:plot} y en {el:plot2}.
{el:orchestra}, {dirigir.part@orchestra} por {per3}, {tocar.pret@orchestra} {un:tune}
 [sin descanso|de memoria|con emoción].
{per} {traducir.pret} «{title2}» para {el:publisher}.
Las entradas para {el:show} {costar.pres@3p} {#13-60} euros y ya están agotadas.
{el:art} más {artistic~art} de {el:museum} {ser.pres} de {el:painter/per} {per}.
""")

CLOSINGS = templates("""
{el:art} se {poder.fut} ver hasta el {date}.
«[Escribo para no olvidar|El arte no tiene prisa|Cada función es distinta|La música me salvó]»,
 {confesar.pret} {per}.
¿{ser.fut@book} {el:book} tan {artistic~book} como «{title2}»?
{per} ya {preparar.pres} {otro:show} sobre {el:plot2}.
¡Qué gran noche para {el:stage} de {town}!
""")
