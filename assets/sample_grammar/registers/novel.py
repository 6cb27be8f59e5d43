"""Narrative prose: a village or a city, a few people, the past tenses and dialogue."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "novela"

WORDS = """
gesture.v: sonreír suspirar callar asentir llorar temblar reír bostezar
speak.v: decir murmurar responder preguntar susurrar contestar gritar
memory.m: recuerdo secreto rumor silencio olor sueño presentimiento miedo perfume
memory.f: carta fotografía promesa tristeza nostalgia melodía sombra
bird.m: gorrión jilguero pájaro gallo ruiseñor mirlo canario
bird.f: golondrina alondra paloma
moment.f: mañana tarde noche madrugada
moment.m: atardecer amanecer mediodía anochecer
path.m: camino sendero callejón puente muelle mercado huerto patio_de_luces pozo campo
path.f: plaza calle orilla colina estación fuente viña alameda
"""

OPENINGS = templates("""
Aquel {month}, {per!first} {volver.pret} a {town} con {un:clothes} {color~clothes} y {un:memory}.
En {town} {llover.imp} desde hacía {#3-9} días cuando {per!first} {abrir.pret} {el:room}.
{per!first} y {su:family/per2} {per2!first} {vivir.imp@3p} en {town}, junto a {el:path}.
{ser.imp@3s} {weekday} y {el:weather} {golpear.imp@weather} las ventanas de {el:room}.
{el:worker/per} {per!first} no {dormir.imp} bien desde que {su:family/per2} {per2!first} se
 {haber.imp} ido a {town}.
Nadie en {town} {recordar.imp} ya a {el:worker/per} {per!first}.
""")

BODY = templates("""
{per!first} {mirar.pret} {el:path} y {pensar.pret} en {su:family/per2}.
{el:weather} {mover.imp@weather} las hojas de {el:tree} y {un:animal} {dormir.imp@animal} a su
 sombra.
—¿Dónde {estar.pres} {el:animal}? —{preguntar.pret} {per2!first}.
—No lo sé —{speak*.pret} {per!first}—. Quizá en {el:room}.
{per2!first} {gesture*.pret} y {cerrar.pret} la puerta de {el:room}.
Sobre {el:furniture} {haber.imp} {un:clothes} {color~clothes} y una carta.
{el:worker/per} {per!first} {trabajar.imp} de sol a sol, pero no se {quejar.imp}.
{estar.imp@3s} {mood~per}, como siempre que {llegar.imp} {el:moment}.
{el:family/per2} de {per!first} se {sentar.pret} en {el:furniture} y {gesture*.pret}.
En {el:path} {cantar.imp@3p} {los:bird} y olía a pan recién hecho.
{per!first} {sacar.pret} de {el:furniture} {un:clothes} de {su:family/per2} y lo {guardar.pret}
 todo otra vez.
Cuando era {niño~per}, {per!first} {subir.imp} a {el:tree} para ver {el:path}.
{el:memory} de {town} no {lo~per} {dejar.imp@memory} dormir.
—Mañana {ser.fut} otro día —{speak*.pret} {per2!first}, {mood~per2}.
{per!first} {caminar.pret} hasta {el:path} sin decir nada.
{el:animal} {cruzar.pret@animal} {el:path} y {desaparecer.pret@animal} detrás de {un:tree}.
¿Cómo {poder.imp} {per!first} olvidar {aquel:moment}?
{per2!first} {encender.pret} la lámpara, {sentir.pret} frío y {buscar.pret} {su:clothes}.
Si {tener.subjimp} dinero, {per!first} {comprar.cond} {un:vehicle} y se {ir.cond} a {town2}.
{el:moment} {ser.imp@moment} {largo~moment} y {el:weather} no {cesar.imp@weather}.
{per!first} {haber.imp} visto {muchos:tree} en su vida, pero nunca tan {alto~tree}.
El agua del pozo {estar.imp} fría y {per2!first} {beber.pret} despacio.
—{tu:family/per} te {esperar.pres} en {el:room} —{speak*.pret} {el:worker/per2}.
{los:family} {comer.imp@family} en silencio, con {el:animal} bajo la mesa.
""")

CLOSINGS = templates("""
Y {per!first} {cerrar.pret} los ojos.
Al día siguiente, {el:path} {estar.imp@path} {vacío~path}.
Desde entonces, {per2!first} {guardar.pres} {el:memory} en {el:furniture}.
{per!first} no {volver.pret} nunca a {town}.
—Adiós —{speak*.pret} {per2!first}. Y {gesture*.pret}.
""")
