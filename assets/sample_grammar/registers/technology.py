"""Technology: devices, programs, networks and the companies behind them."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "tecnología"

WORDS = """
engineer.p: programador ingeniero desarrollador diseñador informático técnico_de_sistemas
 administrador_de_redes probador analista_de_datos jáquer/jáquer
device.m: móvil ordenador portátil reloj+inteligente dron robot auricular altavoz televisor
 proyector lector+electrónico termostato
device.f: tableta impresora consola webcam pulsera+inteligente cámara aspiradora lámpara+conectado
module.m: procesador teclado chip disco+duro sensor micrófono ventilador conector
module.f: pantalla batería memoria placa_base tarjeta+gráfico antena lente
software.m: programa buscador navegador antivirus sistema+operativo cortafuegos
 asistente+virtual traductor videojuego editor_de_textos
software.f: aplicación plataforma base_de_datos página_web inteligencia+artificial red+social
 hoja_de_cálculo extensión
bug.m: error fallo virus+informático bloqueo ataque apagón+digital
bug.f: brecha vulnerabilidad avería filtración
digital.a: inalámbrico compatible táctil ligero seguro rápido moderno plegable
 automático programable interactivo potente gratuito
develop.v: lanzar desarrollar actualizar instalar probar presentar
use.v: descargar conectar configurar reiniciar apagar cargar
user.p: usuario internauta cliente/clienta suscriptor jugador_en_línea alumno consumidor
spec.m: gigabyte megapíxel núcleo vatio altavoz
spec.f: conexión ranura cámara entrada
"""

OPENINGS = templates("""
{el:tech} {develop*.fut@tech} {un:device} {digital~device} [en {month}|el próximo año|antes del
 verano].
{el:engineer/per} {per} {develop*.perf} {un:software} {digital~software} para {los:user} de
 {el:device}.
{el:tech} {develop*.pret@tech} {program}, {un:software} que {traducir.pres@3s} {#13-90} idiomas.
{un:bug} en {program} {exponer.pret@bug} los datos de {million} millones de {-s:user}.
{per}, {-:engineer/per} de {el:tech}, {presentar.pret} en {town} {un:device} de {#5-9} pulgadas.
{el:device} {digital~device} de {el:tech} {costar.fut@device} {euros} euros.
{los:user} ya {poder.pres@user} {use*.inf} {program} en su {device}.
""")

BODY = templates("""
{el:device} {tener.pres@device} {#4-64} {-s:spec} y {pesar.pres@device} {#90-900} gramos.
{el:software} {funcionar.pres@software} sin conexión y se {actualizar.pres@software} cada {#2-9}
 semanas.
{los:engineer} {corregir.pret@engineer} {el:bug} en {#2-9} horas.
Para {use*.inf} {el:device} basta con {use*.inf} {el:software}.
{el:tech} {pedir.pret@tech} a {los:user} que {cambiar.subj@user} la contraseña.
{un:bug} {permitir.imp@bug} leer los mensajes de {los:user}.
{per} {programar.pret} {el:software} en {town} cuando {tener.imp} {#13-30} años.
{el:device} se {cargar.pres@device} en {cooking} minutos y {durar.pres@device} {#2-9} días.
{el:engineer/per} {per} {trabajar.pres} en {el:tech} desde {recent}.
{program} {ser.pres} {un:software} {digital~software} y muy útil.
{el:tech2} {acusar.pres@tech2} a {el:tech} de copiar {su:software}.
{los:user} se {quejar.pret@user} de {el:bug} de {el:device}.
{el:module} {fallar.pret@module} y {el:device} se {apagar.pret@device}.
{el:device} {llevar.pres@device} {un:module} {digital~module} y {un:module2} de {#2-9} milímetros.
{el:device} {reconocer.pres@device} la voz y {obedecer.pres@device} a {el:user}.
Con {program}, {el:engineer/per2} {per2} {controlar.pres} {el:device} desde {su:device2}.
El {#20-90} % de {los:user} {preferir.pres@3s} {un:device} {digital~device}.
{el:uni} {usar.pres@uni} {program} para enseñar a {los:user}.
{el:software} {aprender.pres@software} de los datos y {detectar.pres@software} {el:bug}.
{los:engineer} {guardar.pres@engineer} {el:software} en {un:device} {digital~device}.
Antes de apagar {el:device}, {los:user} {deber.pres@user} cerrar {el:software}.
{un:device} sin {module} no sirve de nada, {bromear.pret} {per}.
La red {alcanzar.pres} ya {people} pueblos de {town#1} con fibra.
""")

CLOSINGS = templates("""
{el:device} {llegar.fut@device} a las tiendas el {date}.
«[La privacidad es lo primero|Todavía hay errores|El futuro ya está aquí]», {escribir.pret} {per}
 en su
 página web.
¿{sustituir.fut@device} {el:device} a {el:device2}?
La actualización {ser.fut} gratuita para {los:user}.
{el:tech} {abrir.fut@tech} una oficina en {town2}.
""")
