"""Titles of works and names of prizes, laws, events and programs (invented unless noted)."""

from __future__ import annotations

from sample_grammar.lexicon import words

# Heads and complements from which titles are composed: gender, article and noun; then the rest.
TITLE_HEADS = words("""
El_jardín La_casa El_invierno La_sombra El_silencio La_memoria El_río La_noche El_cuaderno La_isla
El_relojero La_costurera El_faro La_lluvia El_camino La_frontera El_espejo La_ventana El_verano
La_nieve
El_piano La_llave El_viaje La_carta El_pescador La_niebla El_cielo La_ceniza El_laberinto La_marea
El_violín La_torre El_desierto La_cosecha El_guardián La_promesa El_mapa La_herida El_bosque
La_última
El_otoño La_voz El_puente La_orilla El_color La_danza El_eco La_cumbre El_farolero La_hoguera
""")

TITLE_TAILS = words("""
de_los_cerezos de_piedra en_la_niebla del_norte de_papel sin_nombre de_ceniza de_las_golondrinas
en_llamas del_abuelo de_cristal bajo_el_agua de_los_olvidados sin_regreso de_medianoche del_sur
de_sal
de_las_hormigas de_otoño en_silencio de_arena sin_fin del_capitán de_las_mareas de_barro
de_la_abuela
de_los_almendros interminable prohibida invisible de_los_pájaros en_Lisboa de_trigo del_emigrante
de_terciopelo sin_luna de_los_gigantes del_tiempo de_verano de_nadie
""")

SONGS = words("""
Volver_a_empezar Lágrimas_de_miel Cuando_llueve Corazón_de_arcilla Mañana_será_tarde Bajo_tu_balcón
Ojos_de_almendra Dime_que_sí Canción_del_peregrino Rumba_del_puerto Sin_equipaje Nana_de_la_luna
Tres_mil_noches Copla_del_olvido Fandango_de_abril Solo_por_hoy Azul_de_madrugada Pena_y_gloria
Aires_de_cosecha Vals_de_los_trenes Quédate_conmigo Arena_y_sal Donde_nace_el_viento Zamba_del_adiós
""")

TOURNAMENTS = words("""
Copa_del_Rey Liga_de_Campeones Copa_América Mundial_de_Clubes Copa_Libertadores
Eurocopa Supercopa_de_España Liga_Endesa
Euroliga Copa_Sudamericana Torneo_Apertura Liga_MX
Trofeo_Carranza Trofeo_Teresa_Herrera Liga_ACB Torneo_Clausura Copa_de_la_Reina
""")

# Competitions without teams.
CUPS = words("""
Copa_Davis Giro_de_Italia Tour_de_Francia Vuelta_a_España Volta_a_Catalunya Trofeo_Conde_de_Godó
Vuelta_a_Burgos Behobia Maratón_de_Madrid Clásica_de_San_Sebastián Masters_de_Madrid
Vuelta_a_Colombia
Carrera_de_San_Silvestre Vuelta_al_Táchira Trofeo_Mezquita Descenso_del_Sella
""")

PRIZES = words("""
Premio_Cervantes Premio_Planeta Premio_Nadal Premio_Goya Concha_de_Oro Premio_Nobel Premio_Ariel
Premio_Princesa_de_Asturias Premio_Alfaguara Premio_Biznaga Premio_Rómulo_Gallegos
Premio_Adonáis Premio_Juan_Rulfo Premio_Max Premio_Ondas Premio_Hiperión Premio_Herralde
Premio_de_la_Crítica Premio_Reina_Sofía Premio_Gredos Premio_Abril
""")

FESTIVALS = words("""
Semana_Santa Feria_de_Abril Carnaval Festival_de_Cine Bienal_de_Flamenco Semana_Grande
Feria_del_Libro Noche_en_Blanco Festival_de_Jazz Romería_del_Rocío Tomatina Fiesta_de_la_Vendimia
Semana_Negra Festival_de_Teatro_Clásico Día_de_Muertos Feria_de_Málaga Festival_de_Viña
Muestra_de_Cine_Andino Encuentro_de_Poesía Fiesta_del_Marisco Semana_de_la_Ciencia
""")

LAWS = words("""
Ley_de_Vivienda Ley_de_Costas Ley_de_Aguas Estatuto_de_los_Trabajadores Código_Penal Código_Civil
Ley_de_Memoria Ley_de_Educación Ley_de_Pesca Ley_del_Suelo Ley_de_Startups Ley_de_Dependencia
Ley_de_Presupuestos Ley_de_Montes Reglamento_de_Circulación Estatuto_de_Autonomía
Ley_de_Transparencia
Ley_Electoral Plan_Hidrológico Pacto_de_Toledo Ley_de_Patrimonio Ley_de_Tráfico
Plan_Nacional_de_Empleo
Ley_de_Residuos Tratado_de_Lisboa Constitución Ley_del_Deporte Acuerdo_de_París
""")

PROGRAMS = words("""
Tejedor Kuska Nubia_2 Lanzadera Pizarra Ábaco_3 Colibrí Vigía Andamio Espiral_X Mareógrafo Candil
Rumbo
Cartógrafo Trasgo Picaflor Zaguán Relámpago_5 Tamiz Bitácora Alforja Gondolero Ñandú Farolillo
Tótem_4
Aldaba Cometa_7 Molinillo Trébol Azafrán_OS Escriba Duende Tragaluz Búho_9
""")

MISSIONS = words("""
Cervantes_II Ícaro Selene_3 Aurora_VI Perseo Magallanes Elcano Orellana_IX Hipatia Copérnico Ulises
Ganímedes_4 Sirena Minerva Gaia Deimos_X Hércules Atlántida Prometeo Tycho
""")
