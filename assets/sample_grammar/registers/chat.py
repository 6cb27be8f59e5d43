"""Conversation: messages between friends and family."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "conversación"

WORDS = """
plan.f: película excursión fiesta barbacoa clase compra mudanza reunión
plan.m: concierto partido viaje paseo cumpleaños examen ensayo
"""

OPENINGS = templates("""
—¡Hola, {per!first}! ¿Qué tal {el:plan} del {weekday}?
—¿{quedar.pres@1p} hoy a {hour}, {per!first}?
—Oye, {per!first}, ¿{venir.pres@2s} a {el:plan} en {town}?
—Buenos días, {per!first}. ¿{haber.pres@2s} {desayunar.part}?
—¿Diga? Soy {per2!first}, {el:family/per2} de {per!first}.
""")

BODY = templates("""
—Muy bien, {estar.pres@1s} {mood~per}. ¿Y tú?
—Estamos {desayunar.ger} pan con tomate y aceite de oliva en {el:room}.
—{tener.pres@1s} que ir al mercado a comprar {vegetable}, {fruit} y {drink}.
—¿A qué hora {empezar.pres} {el:plan}? —A {hour}.
—No {poder.pres@1s}, {tener.pres@1s} {un:plan} con {mi:family}.
—{mi:family/per3} {per3!first} {hacer.pret} {el:dish} y {estar.imp@dish} {taste~dish}.
—¿{saber.pres@2s} si {per3!first} {venir.fut} en {vehicle}?
—{creer.pres@1s} que sí, pero {llegar.fut} tarde.
—¡Qué {weather}! No {salir.pres@1s} de casa sin {mi:clothes} {color~clothes}.
—{traer.imper@2s} {tu:clothes}, que {hacer.pres@3s} frío.
—Ayer {ver.pret@1s} a {per3!first} en {town} con {un:clothes} {color~clothes}.
—¿Te {gustar.pres@dish} {el:dish}? —Sí, pero sin {dish#2}.
—{mi:animal} se {haber.pres@3s} subido otra vez a {el:furniture}.
—¿Te apetece {un:hotdrink} con {dessert}? —Sí, por favor.
—Si {querer.pres@2s}, {cenar.pres@1p} {dish} en mi casa.
—{haber.pres@1p} {comer.part} {dish} con {dish#1} y {beber.part} {drink}.
—Yo {preferir.pres@1s} quedarme en {el:room} con un libro.
—Perdona, no te {oír.pret@1s}. ¿{poder.pres@2s} repetirlo?
—{estar.pres@1p} {cenar.ger} {dish} con ensalada de {vegetable} y {vegetable2}.
—Mañana {ir.pres@1s} a {el:plan} con {per3!first} y {su:family}.
—¡Ay, se me {haber.pres@3s} roto {el:device}!
—{los:animal} de {mi:family} {dormir.pres@animal} en {el:room}.
""")

CLOSINGS = templates("""
—Vale, nos {ver.pres@1p} el {weekday}. ¡Un beso!
—Perfecto. ¡Hasta luego, {per!first}!
—¡Mañana te {contar.pres@1s}! Adiós.
—Gracias, {per2!first}. ¡Que {descansar.subj@2s}!
""")
