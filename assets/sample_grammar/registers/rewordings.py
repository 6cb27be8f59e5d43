"""Groups of sentences that say the same, and the two roles whose exchange changes the meaning."""

from __future__ import annotations

from dataclasses import dataclass

from sample_grammar.pools import templates


@dataclass(frozen=True)
class Rewording:
    """Templates with one meaning; with the roles in `swap` exchanged they mean something else."""

    swap: tuple[str, str]
    forms: tuple[str, ...]


def _group(first: str, second: str, block: str) -> Rewording:
    return Rewording((first, second), tuple(templates(block)))


REWORDINGS = (
    _group(
        "club",
        "club2",
        """
{el:club} {vencer.pret} a {el:club2} en {town} el {weekday}.
{el:club2} {ser.pret} {vencer.part@club2} por {el:club} en {town} el {weekday}.
El {weekday}, en {town}, {el:club2} {perder.pret} ante {el:club}.
{el:club} {derrotar.pret} a {el:club2} el {weekday} en {town}.
""",
    ),
    _group(
        "town",
        "town2",
        """
{per!full} {viajar.pret} de {town} a {town2} en {vehicle}.
{per!full} {ir.pret} en {vehicle} desde {town} hasta {town2}.
En {vehicle}, {per!full} {viajar.pret} a {town2} desde {town}.
""",
    ),
    _group(
        "town",
        "town2",
        """
{per!full} {nacer.pret} en {town} y {trabajar.pret} en {town2}.
{per!full} {trabajar.pret} en {town2}, pero {nacer.pret} en {town}.
{nacido~per} en {town}, {per!full} {trabajar.pret} en {town2}.
""",
    ),
    _group(
        "per",
        "per2",
        """
{per!full} le {enviar.pret} {un:clothes} {rojo~clothes} a {per2!full}.
{per2!full} {recibir.pret} {un:clothes} {rojo~clothes} de {per!full}.
{per!full} {mandar.pret} a {per2!full} {un:clothes} {rojo~clothes}.
""",
    ),
    _group(
        "company",
        "company2",
        """
{el:company} {comprar.pret} {el:company2} por {million} millones de euros.
Por {million} millones de euros, {el:company} {adquirir.pret} {el:company2}.
{el:company2} {pasar.pret} a manos de {el:company} por {million} millones de euros.
{el:company} {pagar.pret} {million} millones de euros por {el:company2}.
""",
    ),
    _group(
        "per",
        "per2",
        """
{per!full} {criticar.pret} a {per2!full} durante {el:chambers}.
Durante {el:chambers}, {per2!full} {ser.pret} {criticar.part@per2} por {per!full}.
{per2!full} {recibir.pret} durante {el:chambers} las críticas de {per!full}.
""",
    ),
    _group(
        "town",
        "town2",
        """
{el:lodging} de {town} {ser.pres@lodging} más {caro~lodging} que {el~lodging} de {town2}.
{el:lodging} de {town2} {ser.pres@lodging} más {barato~lodging} que {el~lodging} de {town}.
En {town}, {el:lodging} {costar.pres@lodging} más que en {town2}.
""",
    ),
    _group(
        "device",
        "device2",
        """
{el:device} de {per!full} {ser.pres@device} más {caro~device} que {el:device2}.
{el:device2} de {per!full} {ser.pres@device2} más {barato~device2} que {el:device}.
{el:device} de {per!full} {costar.pres@device} más que {el:device2}.
""",
    ),
    _group(
        "pct",
        "pct2",
        """
{el:bank} {cambiar.pret} el interés del {pct} % al {pct2} % en {month}.
En {month}, el interés de {el:bank} {pasar.pret} del {pct} % al {pct2} %.
El interés de {el:bank}, que antes {ser.imp} del {pct} %, {ser.pres} del {pct2} % desde {month}.
""",
    ),
    _group(
        "num",
        "num2",
        """
En {el:room} hay {num} {-s:furniture} y {num2} {-s:clothes}.
Hay {num2} {-s:clothes} y {num} {-s:furniture} en {el:room}.
{el:room} {tener.pres@room} {num} {-s:furniture} y {num2} {-s:clothes}.
""",
    ),
    _group(
        "town",
        "town2",
        """
{per!full} {vivir.pres} en {town} y {per2!full}, en {town2}.
{per2!full} {vivir.pres} en {town2} y {per!full}, en {town}.
{per!full} {residir.pres} en {town}, mientras que {per2!full} {residir.pres} en {town2}.
""",
    ),
    _group(
        "per",
        "per2",
        """
{el:rescuer/per} {per!full} {rescatar.pret} a {per2!full} en {town}.
En {town}, {per2!full} {ser.pret} {rescatar.part@per2} por {el:rescuer/per} {per!full}.
{el:rescuer/per} {per!full} {salvar.pret} en {town} a {per2!full}.
""",
    ),
    _group(
        "dish",
        "dish2",
        """
{per!first} {comer.pret} {dish} antes de probar {dish2}.
{per!first} {probar.pret} {dish2} después de comer {dish}.
Antes de probar {dish2}, {per!first} {comer.pret} {dish}.
""",
    ),
    _group(
        "title",
        "title2",
        """
{per!full} {escribir.pret} «{title}» antes que «{title2}».
{per!full} {escribir.pret} «{title2}» después que «{title}».
Primero «{title}» y luego «{title2}»: en ese orden las {escribir.pret} {per!full}.
""",
    ),
    _group(
        "astro",
        "astro2",
        """
{el:astro} {ser.pres@astro} más {grande~astro} que {el:astro2}, según {el:uni}.
Según {el:uni}, {el:astro2} {ser.pres@astro2} más {pequeño~astro2} que {el:astro}.
{el:uni} {explicar.pres} que {el:astro} {ser.pres@astro} más {grande~astro} que {el:astro2}.
""",
    ),
    _group(
        "per",
        "per2",
        """
{per!full} {ser.pres} {el:family/per} de {per2!full} y {vivir.pres} en {town}.
{el:family/per} de {per2!full} se {llamar.pres} {per!full} y {vivir.pres} en {town}.
En {town} {vivir.pres} {per!full}, {-:family/per} de {per2!full}.
""",
    ),
    _group(
        "year",
        "year2",
        """
{per!full} {dirigir.pret} {el:museum} en {year} y {el:orchestra} en {year2}.
{per!full} {dirigir.pret} {el:orchestra} en {year2} y {el:museum} en {year}.
En {year}, {per!full} {dirigir.pret} {el:museum}; en {year2}, {el:orchestra}.
""",
    ),
    _group(
        "spice",
        "spice2",
        """
{el:dish} de {per!full} {llevar.pres@dish} más {spice} que {spice2}.
{el:dish} de {per!full} {llevar.pres@dish} menos {spice2} que {spice}.
Hay más {spice} que {spice2} en {el:dish} de {per!full}.
""",
    ),
)
