"""Reviews of hotels, restaurants, books and devices, in the first person."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "opinión"

WORDS = """
lodging.m: hotel hostal apartamento parador balneario
lodging.f: pensión habitación+doble casa+rural cabaña
service.f: atención limpieza recepción comida piscina
service.m: servicio trato desayuno personal ambiente
verdict.a: perfecto correcto caro barato cómodo ruidoso tranquilo acogedor limpio moderno
"""

OPENINGS = templates("""
{estar.pret@1p} {#2-9} noches en {un:lodging} de {town} y {el:service} {ser.pret@service}
 {good~service}.
{comprar.pret@1s} {este:device} hace {#2-9} meses y {estar.pres@1s} muy {mood~m} con {su:module}
 {digital~module}.
{cenar.pret@1p} en {restaurant} el {weekday} y {el:dish} {ser.imp@dish} {good~dish}.
{acabar.pres@1s} de leer «{title}», de {per}, y me {parecer.pret} {un:book} {good~book}.
{el:show} «{title}» me {parecer.pret@3s} {bad~show}.
""")

BODY = templates("""
{el:service} {ser.imp@service} {good~service}, pero {el:service2} {ser.imp@service2} {bad~service2}.
{el:lodging} {ser.pres@lodging} muy {verdict~lodging} y está cerca de {el:monument}.
No {recomendar.pres@1s} {el:lodging}: {el:room} {ser.imp@room} {size~room} y {bad~room}.
Se {calentar.pres} mucho y {el:module} {fallar.pres@module} a menudo.
Por {euros} euros, {esperar.imp@1s} {un:device} más {digital~device}.
{pedir.pret@1p} {el:dish} con {drink}, y de postre [{un:fruit}|{dessert}].
{el:dish} {estar.imp@dish} {taste~dish} y {el:cook} nos {explicar.pret@3s} la receta.
{el:part} de {per} {ser.pres@part} {good~part}; el resto {ser.pres@3s} {bad~m}.
Lo mejor, {el:service}; lo peor, {el:furniture} de {el:room}.
Desde {el:room} se {ver.imp} {el:monument} {style~monument} de {town}.
{volver.fut@1p} en {month}, seguro.
El precio me {parecer.pres} {verdict~m} para lo que {ofrecer.pres@3s}.
{los:cook} {ser.pret@3p} muy amables con {mi:family}.
¿Merece la pena? Sí, sobre todo por {el:service}.
Me {encantar.pret@part} {el:part}, aunque {el:part2} me {parecer.pret@part2} {bad~part2}.
""")

CLOSINGS = templates("""
Le {dar.pres@1s} {#2-5} estrellas.
No {volver.fut@1p}.
¡Muy recomendable!
Lo {recomendar.pres@1s} a {mi:family} y a cualquiera.
En resumen: {verdict~m} y {good~m}.
""")
