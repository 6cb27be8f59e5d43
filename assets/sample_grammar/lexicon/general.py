"""Words that many registers share."""

from __future__ import annotations

WORDS = """
color.a: rojo verde azul amarillo blanco negro gris morado rosa pardo dorado plateado violeta
size.a: pequeño enorme largo ancho alto bajo inmenso diminuto estrecho mediano
good.a: excelente magnífico estupendo brillante notable admirable espléndido extraordinario soberbio
bad.a: pésimo mediocre decepcionante lamentable flojo aburrido pobre insuficiente
mood.a: contento triste cansado nervioso tranquilo feliz preocupado ilusionado orgulloso enfadado
 sereno emocionado sorprendido satisfecho inquieto agradecido
family.p: hermano primo tío abuelo hijo nieto sobrino vecino amigo compañero cuñado suegro
 padrino/madrina ahijado
weather.f: lluvia nieve niebla tormenta brisa helada llovizna
weather.m: viento granizo frío calor sol
room.f: cocina habitación terraza buhardilla despensa sala
room.m: salón dormitorio comedor pasillo balcón desván patio sótano
furniture.f: mesa silla cama estantería lámpara mecedora butaca cómoda
furniture.m: sofá armario espejo escritorio sillón baúl taburete banco
animal.m: perro gato caballo burro pájaro conejo gorrión jilguero erizo ratón zorro lobo
animal.f: gallina cabra oveja vaca yegua golondrina tortuga ardilla lagartija cigüeña
tree.m: olivo almendro naranjo pino roble castaño cerezo ciprés olmo manzano nogal fresno
tree.f: encina higuera palmera haya acacia
clothes.m: abrigo sombrero pañuelo vestido jersey pantalón chaleco cinturón guante calcetín
clothes.f: camisa chaqueta falda bufanda gorra blusa corbata bota
vehicle.m: coche autobús tren camión tranvía avión barco
vehicle.f: furgoneta moto bicicleta
worker.p: panadero carpintero albañil/albañila zapatero pescador jardinero costurero relojero
 herrero
 cartero pastor maestro sastre/sastra molinero alfarero camarero pintor librero barbero
"""
