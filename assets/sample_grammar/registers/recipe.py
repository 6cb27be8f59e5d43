"""Recipes: ingredients with amounts, then steps in the imperative."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "receta"

WORDS = """
dishware.m: bol cuenco+hondo tarro vaso
dishware.f: bandeja_de_horno fiambrera copa taza
"""

OPENINGS = templates("""
Receta de {dish} para {#2-8} personas.
Cómo preparar {el:dish} en {cooking} minutos.
Hoy cocinamos {el:dish} al estilo de {town}.
Ingredientes: {grams} g de {dish#1}, {#2-4} {-s:vegetable}, {dish#2}, {spice} y sal.
""")

BODY = templates("""
{lavar.subj} y {cortar.subj} {los:vegetable} en trozos pequeños.
{calentar.subj} {#2-6} cucharadas de aceite de oliva en una sartén a fuego medio.
{añadir.subj} {el:dish#1} y {remover.subj} con una cuchara de madera durante {cooking} minutos.
{mezclar.subj} {grams} g de {dish#1} con {#2-4} cucharadas de aceite y una pizca de {spice}.
{dejar.subj} reposar {el:dish} en {un:dishware} durante {#2-12} horas.
precaliente el horno a {oven} °C y {hornear.subj} {los:vegetable} {cooking} minutos.
{pelar.subj} {#2-4} dientes de ajo y {picar.subj} {el:vegetable} muy fino.
{probar.subj} de sal y {corregir.subj} con {spice} o pimienta.
{batir.subj} {#2-6} huevos y {echar.subj} {el:dish#2} poco a poco.
{tapar.subj} la olla y {cocer.subj} a fuego lento hasta que {el:dish#1} {estar.subj@dish#1}
 {tierno~dish#1}.
{escurrir.subj} bien {el:vegetable} y {reservar.subj} el caldo.
{servir.subj} {el:dish} en {un:dishware} con {dish#2} por encima.
Si no tiene {spice}, {poder.pres} usar {spice2}.
{decorar.subj} con unas hojas de {spice} y un chorro de aceite de oliva.
Para el postre, {mezclar.subj} {dessert#1} con {dessert#2} en {el:dessert#3}: así se
 {hacer.pres@dessert} {el:dessert}.
El truco es no mover {el:dish} mientras se {hacer.pres@dish}.
{enfriar.subj} {el:dish} en la nevera antes de servir.
""")

CLOSINGS = templates("""
{servir.subj} con pan {taste~m} y un vaso de {drink}.
¡Listo! {el:dish} {estar.pres@dish} en su punto.
{acompañar.subj} {el:dish} con {drink}. ¡Que aproveche!
""")
