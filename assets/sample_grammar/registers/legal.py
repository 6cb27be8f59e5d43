"""Legal and parliamentary texts: articles of laws, edicts, speeches."""

from __future__ import annotations

from sample_grammar.pools import templates

LABEL = "leyes"

WORDS = """
party_to.p: solicitante/solicitante interesado beneficiario propietario arrendatario
 demandante/demandante
 trabajador empresario contribuyente/contribuyente
document.f: solicitud instancia resolución certificación licencia declaración escritura factura
document.m: contrato certificado recurso informe expediente formulario
duty.v: presentar firmar entregar conservar aportar renovar
legal.a: vigente presente anterior correspondiente administrativo judicial mercantil civil
"""

OPENINGS = templates("""
Artículo {article}. {el:party_to} {deber.fut@party_to} {duty*.inf} {el:document} antes del {date}.
Señorías, {el:bill} que hoy debatimos {afectar.pres@bill} a {los:citizens} de {town#1}.
{el:townhall} {hacer.pres} público que, con fecha {date} de {recent}, se {aprobar.pret} {el:bill}.
De acuerdo con {el:law}, {el:party_to} {tener.pres@party_to} derecho a {duty*.inf} {el:document}.
{el:court} {dictar.perf@court} sentencia contra {per!both}, {-:party_to/per} de {town}.
""")

BODY = templates("""
{el:document} {legal~document} se {presentar.fut@document} en un plazo de {#10-30} días.
{los:party_to} {quedar.fut@party_to} {obligado~party_to} a {duty*.inf} {el:document}.
No se {admitir.fut@document} {el:document} sin la firma de {el:party_to}.
El incumplimiento de {este:bill} {dar.fut} lugar a una multa de {euros} euros.
A efectos de {el:law}, se {entender.pres} por {-:party_to} toda persona que {duty*.subj}
 {un:document}.
{el:ministry} {dictar.fut@ministry} las normas necesarias para aplicar {el:bill}.
El artículo {article} queda redactado como sigue: {el:party_to} {poder.fut@party_to} {duty*.inf}
 {el:document}.
Señora presidenta, mi grupo {votar.fut} en contra de {este:bill} porque {olvidar.pres} a
 {los:citizens}.
Señor {per!last}, usted {prometer.pret} {policy} para todos, y no {haber.pres} {cumplir.part}.
Contra {este:document} {caber.pres} recurso ante {el:court}.
{el:document} {deber.fut@document} incluir el nombre, el domicilio y la firma de {el:party_to}.
Se {conceder.pres@loan} {un:loan} de {euros} euros a {los:party_to} de {town}.
{el:party_to} {renunciar.pres@party_to} a cualquier otro derecho.
Pasamos a votar la enmienda número {article}. (Rumores).
Queda {derogar.part@bill} {el:bill} {political~bill} de {year}.
¿Está de acuerdo la Cámara? Sin oposición, se {aprobar.pres}.
{el:document} {legal~document} {tener.fut@document} una validez de {#2-10} años.
""")

CLOSINGS = templates("""
{este:bill} {entrar.fut@bill} en vigor el {date}.
Así lo acuerda y firma {per2!both}, en {town}, a {date} de {recent}.
Muchas gracias, señorías. (Aplausos).
Contra {este:bill} no {caber.pres} recurso.
""")
