"""Economy: companies, banks, markets, prices and work."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "economía"

WORDS = """
boss.p: director+general consejero+delegado accionista empresario inversor
 economista gerente/gerente
 propietario banquero tesorero analista fundador
money.f: deuda inversión facturación recaudación hipoteca acción subvención renta cotización
 plusvalía
money.m: beneficio ingreso salario préstamo dividendo impuesto crédito sueldo alquiler ahorro
goods.m: aceite acero cemento aluminio calzado gasóleo cobre papel vidrio mármol gas
goods.f: lana harina cerámica madera leche carne ropa maquinaria
crop.f: naranja* aceituna* almendra* soja uva* patata* fresa* remolacha
crop.m: algodón cacao trigo maíz arroz tabaco tomate*
loan.m: préstamo crédito aval anticipo
loan.f: hipoteca ayuda subvención línea_de_crédito
tax.m: impuesto arancel peaje
tax.f: tasa contribución multa
firm.f: empresa fábrica compañía cooperativa cadena constructora naviera aseguradora
firm.m: negocio taller almacén concesionario mayorista astillero
indicator.f: inflación productividad morosidad competencia demanda oferta
indicator.m: desempleo consumo paro déficit ahorro+familiar euríbor comercio
employee.p: empleado trabajador operario autónomo obrero administrativo contable/contable
 transportista agricultor ganadero
economic.a: económico financiero bancario comercial fiscal salarial bursátil industrial
 inmobiliario presupuestario
grow.v: subir crecer aumentar bajar caer disminuir repuntar
earn.v: ganar ingresar facturar invertir perder
market.f: bolsa banca industria patronal
market.m: mercado sector gremio comercio parqué consejo
"""

OPENINGS = templates("""
{el:company} {earn*.pret@company} {million} millones de euros [en el primer trimestre|el año pasado|
 hasta {month}].
{el:bank} {comprar.fut@bank} {el:company} por {million} millones de euros.
{el:indicator} {grow*.pret@indicator} un {pct} % en {month} [respecto al año anterior|según los
 datos
 publicados este {weekday}].
El precio de {el:goods} {grow*.pret} un {pct} % [en {town#1}|en una semana|por la escasez].
{el:company} {despedir.fut@company} a {#13-400} {-s:employee} de su planta de {town}.
{el:bank} {subir.pret@bank} el tipo de interés de sus hipotecas hasta el {pct} %.
{per}, {-:boss/per} de {el:company}, {anunciar.pret} una inversión de {million} millones en {town}.
{los:employee} de {el:company} {cobrar.fut@employee} un {pct} % más desde {month}.
""")

BODY = templates("""
{el:boss/per} {per} {explicar.pret} que {el:money} {grow*.fut@money} [este año|en los próximos
 meses|
 de forma moderada].
{el:firm} {exportar.pres@firm} [{goods}|{crop}] a {#13-60} países y {emplear.pres@firm} a {people}
 personas.
La bolsa {cerrar.pret} con [pérdidas|ganancias] del {pct} % y {el:bank} {caer.pret@bank} un {pct2}
 %.
{el:money} {economic~money} {pasar.pret@money} de {euros} a {euros2} euros.
{los:employee} {reclamar.pres@employee} [mejores salarios|un convenio justo|más contratos fijos].
{el:bank} {conceder.pret@bank} {un:loan} de {euros} euros a {el:firm}.
{el:company} {vender.pret@company} {#200-900} toneladas de {goods} en {town#1}.
{el:boss/per} {comprar.pret} acciones de {el:company} por valor de {million} millones.
La consultora {calcular.pres} que {el:indicator} {grow*.fut@indicator} en {town#1}.
{el:ministry} {bajar.fut@ministry} los impuestos a {los:employee}.
{el:company} {abrir.fut@company} {#2-9} tiendas en {town} y {contratar.fut@company} a {people}
 personas.
{el:company2}, su principal competidora, {perder.pret@company2} {million} millones.
{el:market} {reaccionar.pret@market} con [calma|nervios|optimismo] a la subida de los intereses.
{los:employee} {firmar.pret@employee} el convenio con {el:firm} [tras una huelga|por unanimidad].
{per}, economista de {el:uni}, {advertir.pret} del riesgo de recesión.
La factura de la luz {grow*.pret} un {pct} %, y la del gas, un {pct2} %.
{el:firm} {pagar.pres@firm} a {los:employee} {euros} euros al mes.
Hacienda {recaudar.pret} {million} millones más por {el:tax} sobre {el:goods}.
La cosecha de {crop} {ser.fut} [buena|escasa|récord] y los precios {bajar.fut@3p}.
{el:bank} y {el:bank2} {negociar.pres@3p} una fusión.
{un:boss} prudente no {arriesgar.pres} su dinero sin estudiar {el:market}.
""")

CLOSINGS = templates("""
Las acciones de {el:company} {cerrar.pret@3p} a {#13-90} euros.
«[El año será difícil|Creceremos sin endeudarnos|Confiamos en el mercado|No habrá despidos]»,
 {asegurar.pret} {per}.
El pago se {hacer.fut} en {#2-9} plazos.
¿Cuánto {costar.fut@goods} {el:goods} el año que viene?
{el:company} {presentar.fut@company} sus cuentas el {date}.
""")
