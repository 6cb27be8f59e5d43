"""Encyclopaedic articles on towns."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "viajes"

WORDS = """
monument.f: catedral muralla iglesia ermita torre basílica universidad plaza+mayor
monument.m: castillo palacio acueducto convento puente+romano monasterio alcázar teatro+romano
trade.f: agricultura ganadería pesca minería artesanía industria
trade.m: turismo comercio cultivo_del_olivo ferrocarril
style.a: románico gótico renacentista barroco neoclásico mudéjar modernista medieval
founder.p: romano fenicio visigodo celta íbero colonizador
"""

OPENINGS = templates("""
{town} es una ciudad de {town#1} con {population} habitantes, situada a orillas de {el:river}.
{town} es un municipio de {town#1}, a {km} kilómetros de {near} y a {meters} metros de altitud.
{el:river} {nacer.pres} cerca de {town} y {recorrer.pres} {km} kilómetros por {town#1}.
""")

BODY = templates("""
La ciudad fue fundada por {los:founder} y {conservar.pres} {un:monument} {style~monument}.
Su economía se {basar.pres} en {el:trade} y {el:trade2}.
{el:monument}, {construir.part@monument} en {oldyear}, {ser.pres@monument} su
 principal atractivo.
Cada año, en {month}, se {celebrar.pres} {el:festival}.
El clima es suave: en {month} la temperatura {llegar.pres} a los {degrees} grados.
Según el censo de {recent}, {tener.pres} {population} habitantes.
En {oldyear} {un:storm} {destruir.pret@storm} {el:monument} y parte de las casas.
{el:monument} {alojar.pres@monument} hoy {el:museum}.
Entre sus vecinos ilustres {destacar.pres@3s} {el:profession/per3} {per3!both}.
{el:townhall} {restaurar.pret@townhall} {el:monument} en {recent}.
La comarca {producir.pres} {crop}, {crop2} y {goods}.
El ferrocarril {llegar.pret} en {railyear} y {unir.pret} la ciudad con {near}.
En los alrededores {crecer.pres@3p} {los:tree} y {vivir.pres@3p} {los:animal}.
Limita al norte con {near} y al sur con {near2}.
{el:smallclub} {jugar.pres@smallclub} en el estadio municipal.
El plato típico {ser.pres@dish} {el:dish}, que se {hacer.pres@dish} con {dish#1} y {dish#2}.
""")

CLOSINGS = templates("""
Hoy es un importante centro de {trade}.
{el:monument} fue {declarar.part@monument} monumento nacional en {year}.
Está hermanada con {town2} desde {recent}.
""")
