"""Encyclopaedic articles on persons."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "biografía"

WORDS = """
profession.p: escritor pintor arquitecto ingeniero político médico compositor matemático
 militar/militar
 navegante filósofo abogado escultor
"""

OPENINGS = templates("""
{per!both} ({town}, {oldyear}) {ser.pret} {un:profession/per} {conocido~per} por «{title}».
{per!both}, {nacido~per} en {town} el {date} de {birth}, es {un:profession/per} de {town#1}.
{per!both} {ser.pret} {un:profession/per} de {town#1} que {vivir.pret} en {town} y en {town2}.
""")

BODY = templates("""
{estudiar.pret@3s} en {el:uni} y {trabajar.pret} como {-:profession/per} en {town2}.
En {recent} {publicar.pret@3s} «{title}», y más tarde {recibir.pret} {el:prize}.
{morir.pret@3s} en {town2} a los {age} años.
Se {casar.pret@3s} con {per2!full}, con {quien~per2} {tener.pret} {#2-5} hijos.
{ser.pret@3s} {hijo~per} de {un:worker} de {town} y {un:worker2} de {town3}.
De {niño~per} {aprender.pret@3s} música y latín con {un:profession2}.
En {town2} {conocer.pret@3s} a {el:profession3/per3} {per3!full}, que {influir.pret} mucho en su
 obra.
{viajar.pret@3s} por {town2#1} y {enseñar.pret} en {el:uni}.
{fundar.pret@3s} {el:institute}, que {dirigir.pret} durante {#3-12} años.
Su obra «{title2}» se {conservar.pres} en {el:museum}.
{el:profession/per} {escribir.pret} más de {#40-300} cartas a su {maestro~per3} {per3!last}.
{per} {rechazar.pret} {el:prize} por motivos personales.
La crítica {considerar.pres} «{title}» su mejor trabajo.
{mantener.pret@3s} una larga amistad con {per2}.
{padecer.pret@3s} {illness} y {pasar.pret} sus últimos años en {town3}.
""")

CLOSINGS = templates("""
Una calle de {town} lleva su nombre.
Sus restos descansan en {town2}.
{el:townhall} le {dedicar.pret} una estatua en {recent}.
""")
