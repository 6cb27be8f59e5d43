"""Sentences in which the kind of a name shows only in the context."""

from __future__ import annotations

from sample_grammar.pools import templates

SENTENCES = templates("""
{firmname} presentó ayer sus resultados en {town}.
{el:townclub} {perder.pret} en casa del {townclub2} por {score}.
{townclub} {#2-5}, {townclub2} {#0-1}.
{per!last} {viajar.pret} de {town} a {town2} para ver a {per2!last}.
{per!both}, natural de {town}, {fallecer.pret} ayer en {el:hospital}.
{town} ({town#1}), {date}. {el:newspaper} {adelantar.pres@newspaper} la noticia.
{el:newspaper} {publicar.pres@newspaper} hoy una entrevista con {per}.
En {title}, de {per!last}, todo {ocurrir.pres} en {town}.
{per} ({town}, {year}) {ganar.pret} {el:prize} con «{title}».
{per}, {per2} y {per3} {llegar.pret@3p} ayer a {town}.
La calle de {per!both} está en {quarter}, cerca de {el:school}.
{el:uni} y {el:hospital} {colaborar.pres@3p} desde {recent}.
El tren de {town} a {near} {parar.pres} en {near2}, pero no en {near3}.
Según {el:newspaper}, {per!last} {dejar.fut} {el:party}.
Los abogados de {per!last} {recurrir.fut@3p} ante {el:court}.
{per!initial} y {per2!initial}, de {el:institute}, {firmar.pres@3p} el estudio.
{el:river} {crecer.pret} {#2-9} metros en {town} y {#2-9} en {near}.
{mountain} es uno de los paisajes más visitados de {town#1}.
{per!first} {vivir.pres} en {quarter} y {trabajar.pres} en {el:company}.
{el:law} {ser.pret@law} {aprobar.part@law} gracias a {el:party} y a {el:party2}.
{el:festival} {atraer.pres@festival} cada año a miles de personas a {town}.
¿{haber.pres@2s} visto ya «{title}»? Yo la {ver.pret@1s} en {town} con {per!first}.
El capitán {per!last} {navegar.pret} por {el:river} hasta {town}.
La editora de {el:publisher}, {per}, {vivir.pres} entre {town} y {town2}.
{program} {ser.pres} obra de {per}, de {el:tech}.
Con {song}, {per!last} {llenar.pret} todas las plazas de {town#1}.
{per!last} {ser.pres} el apellido más común en {town#1}.
Subimos a {mountain} con {per!first} y bajamos por {near}.
{el:club} {fichar.pret@club} en {town} a un tal {per!last}.
La comarca de {town} {exportar.pres} {crop} a {town2#1}.
""")
