"""Gastronomy: dishes, restaurants and cooks."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "gastronomía"

# A dish comes with its main ingredient, what goes with it, and what it is made in.
WORDS = """
cook.p: cocinero repostero pastelero chef/chef asador hornero pinche/pinche
dish.t: tortilla/f,patata*/f,cebolla/f,sartén/f gazpacho/m,tomate*/m,pepino/m,batidora/f
 paella/f,arroz/m,azafrán/m,paellera/f fabada/f,alubia*/f,chorizo/m,olla/f
 croqueta*/f,bechamel/f,jamón/m,sartén/f empanada/f,atún/m,pimiento*/m,horno/m
 ensaladilla/f,patata*/f,mayonesa/f,fuente/f cocido/m,garbanzo*/m,repollo/m,olla/f
 ceviche/m,pescado/m,limón/m,cuenco/m guacamole/m,aguacate/m,cilantro/m,mortero/m
 sopa_de_ajo/f,pan/m,pimentón/m,cazuela/f salmorejo/m,tomate*/m,jamón/m,batidora/f
 arepa*/f,maíz/m,queso/m,plancha/f tamal*/m,maíz/m,pollo/m,vaporera/f
 lasaña/f,carne/f,orégano/m,horno/m albóndiga*/f,carne/f,tomate/m,cazuela/f
 escalivada/f,berenjena*/f,aceite/m,horno/m pisto/m,calabacín/m,huevo/m,sartén/f
 marmitako/m,bonito/m,patata*/f,cazuela/f lenteja*/f,zanahoria/f,chorizo/m,olla/f
 puchero/m,gallina/f,hierbabuena/f,olla/f asado/m,ternera/f,romero/m,parrilla/f
 migas*/f,pan/m,uva*/f,sartén/f cachopo/m,ternera/f,queso/m,sartén/f
 mole/m,chocolate/m,chile/m,cazuela/f crema_de_calabaza/f,calabaza/f,nata/f,olla/f
 merluza_en_salsa_verde/f,merluza/f,perejil/m,cazuela/f
 pulpo_a_la_gallega/m,pulpo/m,pimentón/m,olla/f
 pan_con_tomate/m,aceite_de_oliva/m,jamón/m,parrilla/f
dessert.t: flan/m,huevo*/m,caramelo/m,molde/m natilla*/f,leche/f,canela/f,cazo/m
 torrija*/f,pan/m,miel/f,sartén/f buñuelo*/m,harina/f,azúcar/m,sartén/f
 turrón/m,almendra*/f,miel/f,bandeja/f arroz_con_leche/m,canela/f,limón/m,cazo/m
 bizcocho/m,yogur/m,limón/m,horno/m roscón/m,harina/f,azahar/m,horno/m
 churro*/m,harina/f,chocolate/m,sartén/f tarta_de_queso/f,queso/m,galleta*/f,horno/m
 helado/m,nata/f,vainilla/f,heladera/f crema_catalana/f,leche/f,canela/f,cazuela/f
vegetable.m: ajo pimiento pepino champiñón puerro apio tomate calabacín
vegetable.f: cebolla zanahoria lechuga espinaca* berenjena patata col
spice.m: azafrán perejil pimentón romero laurel orégano tomillo comino
spice.f: sal pimienta canela vainilla albahaca menta
taste.a: sabroso crujiente tierno jugoso suave cremoso casero delicioso exquisito rico
 ligero tradicional
utensil.f: cuchara fuente jarra tabla espumadera balanza_de_cocina
utensil.m: cuchillo plato rallador colador cucharón tenedor
cookverb.v: cocinar preparar servir
chop.v: picar pelar cortar lavar trocear
drink.m: vino zumo mosto vermut refresco
drink.f: sidra cerveza sangría manzanilla limonada gaseosa
hotdrink.m: café té chocolate cacao
hotdrink.f: infusión tila leche_caliente malta
meal.m: desayuno almuerzo aperitivo menú
meal.f: cena merienda comida degustación
fruit.f: naranja manzana pera fresa uva cereza ciruela piña
fruit.m: plátano melón higo melocotón limón albaricoque
"""

OPENINGS = templates("""
{el:cook/per} {per} {cookverb*.pres} {el:dish} con {dish#1} y {dish#2} en {restaurant}.
{el:dish} de {restaurant} {ser.pres@dish} el plato más famoso de {town}.
{per} {abrir.fut} en {town} un restaurante dedicado a {el:dish}.
En {town#1}, {el:dish} se {cookverb*.pres@dish} con {dish#1}, {dish#2} y un poco de {spice}.
{el:cook/per} {per}, de {restaurant}, {cookverb*.pret} {el:dish} para {#13-90} invitados.
El mejor menú de {town} {incluir.pres} {el:dish} y un vaso de {drink}.
Para preparar {el:dish} {hacer.pres@3p} falta {dish#1}, {dish#2} y {spice}.
Estamos {desayunar.ger} pan con tomate y aceite de oliva en casa de {per}.
Hoy desayunamos {hotdrink}, {fruit} y pan con tomate y aceite de oliva.
""")

BODY = templates("""
{el:vegetable} se {chop*.pres@vegetable} [en trozos pequeños|muy fino|con cuidado] y se
 {poner.pres@vegetable} en {el:dish#3}.
{el:cook/per} {añadir.pres} {spice} y {dish#2} a {el:dish} antes de servir.
{el:dish} {quedar.pres@dish} más {taste~dish} si se {preparar.pres@dish} sin prisa.
{el:dish#1} {tener.pres@dish#1} que ser de buena calidad.
{per} {aprender.pret} a [cocinar|preparar|hacer] {el:dish} con su abuela en {town}.
En la sartén se {calentar.pres} el aceite y se {dorar.pres@vegetable} {el:vegetable}.
El secreto de {el:dish} {ser.pres@3s} {el:spice} y {el:dish#2}.
{restaurant} {servir.pres} cada día {#13-90} raciones de {dish}.
Para {el:meal}, {el:cook/per} {recomendar.pres} {el:dish} con {un:drink} de la casa.
{el:dish} se {comer.pres@dish} con {drink} y pan {taste~m}.
{un:dish#3} y {un:utensil} {ser.pres@3p} imprescindibles para {el:dish}.
{el:cook/per} {mezclar.pret} {el:dish#1} con {el:dish#2} en {el:dish#3}.
{los:vegetable} de {town} {tener.pres@vegetable} fama en toda la región.
La guía {dar.pret} {#2-3} soles a {restaurant}, la casa de {per}.
{el:meal} {costar.pres@meal} {#13-60} euros e {incluir.pres@meal} {el:dish} y {un:drink}.
El aroma de {el:spice} y de {el:spice2} {llenar.imp@3s} la cocina.
{per2} {pedir.pret} {el:dish}, y de postre, [{un:fruit}|{dessert}].
{el:dish} {tardar.pres@dish} {cooking} minutos en hacerse y {llevar.pres@dish} una pizca de {spice}.
{los:cook} {probar.pret@cook} {el:dish} y {pedir.pret@cook} más {dish#2}.
Durante {el:festival} se {comer.pres@dish} {el:dish} en las calles de {town}.
Sin {dish#2}, {el:dish} no {saber.pres@dish} igual, {decir.pres} {per}.
Por la mañana, {per2} {desayunar.pres} pan tostado con aceite de oliva y {un:hotdrink}.
{el:dessert} se {preparar.pres@dessert} con {dessert#1} y {dessert#2} en {el:dessert#3}.
{per2} {terminar.pret} con {un:hotdrink} y {el:dessert} de la casa.
De postre hay {fruit} con {fruit2} y una bola de helado de vainilla.
""")

CLOSINGS = templates("""
Se {servir.pres@dish} {caliente~dish} y se {acompañar.pres@dish} con {drink}.
«[Cocinar es un acto de cariño|El producto manda|No hay trucos, solo paciencia]», {decir.pres}
 {per}.
¡Qué {taste~dish} {estar.imp@dish} {el:dish}!
¿Quién no {haber.pres} {probar.part} {el:dish} de {town}?
¡Buen provecho!
""")
