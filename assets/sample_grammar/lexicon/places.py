"""Towns with their region or country, rivers, mountains, quarters. Facts."""

from __future__ import annotations

from sample_grammar.lexicon import lines, words

# Region or country, then its towns. A region and its towns belong to one split.
TOWNS_BY_REGION: dict[str, list[str]] = {
    region: [town.replace("_", " ") for town in words(towns)]
    for region, towns in (
        line.split(": ")
        for line in lines("""
Andalucía: Écija Íllora Órgiva Sevilla Córdoba Málaga Granada Almería Jaén Huelva Cádiz Úbeda Baeza
 Antequera Ronda Motril
Castilla y León: Valladolid Salamanca Burgos León Palencia Ávila Segovia Soria Zamora Béjar
 Ponferrada
Galicia: Vigo Ourense Lugo Pontevedra Ferrol Betanzos Tui Ribadeo Cambados Monforte Viveiro
Cataluña: Barcelona Girona Lleida Tarragona Reus Sabadell Terrassa Mataró Figueres Vic Manresa Olot
Aragón: Huesca Teruel Calatayud Jaca Barbastro Tarazona Alcañiz Daroca Monzón Albarracín
Comunidad Valenciana: Valencia Alicante Castellón Elche Gandía Alcoy Sagunto Xàtiva Dénia Orihuela
Extremadura: Badajoz Mérida Plasencia Trujillo Zafra Almendralejo Llerena Montijo Guareña
Euskadi: Bilbao Vitoria Eibar Durango Getxo Hondarribia Zarautz Gernika Tolosa Irún
Asturias: Oviedo Gijón Avilés Llanes Cudillero Mieres Luarca Villaviciosa
Canarias: La_Laguna Arrecife Telde Arucas Güímar Teguise Agaete Garachico
Murcia: Cartagena Lorca Águilas Mazarrón Caravaca Yecla Jumilla
Navarra: Pamplona Tudela Estella Tafalla Olite Sangüesa
Cantabria: Santander Torrelavega Laredo Comillas Reinosa Castro_Urdiales
La Rioja: Logroño Haro Calahorra Nájera Arnedo
Castilla-La Mancha: Toledo Albacete Cuenca Guadalajara Almagro Talavera Hellín Sigüenza Valdepeñas
México: Guanajuato Puebla Oaxaca Monterrey Tijuana Zacatecas Morelia Querétaro Cancún Toluca
 Campeche
Colombia: Bogotá Medellín Cali Barranquilla Bucaramanga Manizales Popayán Pereira Ibagué Neiva
Argentina: Rosario Mendoza Salta Tucumán Ushuaia Bariloche Neuquén Paraná Jujuy La_Plata
Perú: Arequipa Cuzco Cajamarca Iquitos Piura Chiclayo Puno Ayacucho Tacna Huaraz
Chile: Valparaíso Concepción Temuco Antofagasta Iquique Arica Valdivia Copiapó Chillán
Uruguay: Montevideo Salto Paysandú Colonia Maldonado Tacuarembó Minas
Ecuador: Quito Guayaquil Manta Loja Ambato Riobamba Ibarra Machala
Bolivia: Cochabamba Sucre Potosí Oruro Tarija Trinidad
Venezuela: Caracas Maracaibo Coro Barquisimeto Maracay Cumaná
Costa Rica: Alajuela Heredia Limón Puntarenas Liberia
Paraguay: Asunción Encarnación Luque Caacupé Villarrica
Guatemala: Antigua Quetzaltenango Cobán Chiquimula Escuintla
Honduras: Tegucigalpa Comayagua Choluteca Tela Danlí
Nicaragua: Managua Masaya Estelí Matagalpa Jinotega
Panamá: Colón Chitré Penonomé Aguadulce Bugaba
""")
    )
}

# Rivers of each region or country.
RIVERS_BY_REGION: dict[str, list[str]] = {
    region: words(rivers)
    for region, rivers in (
        line.split(": ")
        for line in lines("""
Andalucía: Guadalquivir Genil Guadalete Odiel Tinto
Castilla y León: Duero Pisuerga Tormes Esla Eresma
Galicia: Miño Sil Ulla Tambre
Cataluña: Ter Segre Llobregat Fluvià
Aragón: Cinca Gállego Jalón
Comunidad Valenciana: Júcar Turia Serpis
Extremadura: Guadiana Alagón Zújar
Euskadi: Nervión Bidasoa Urola
Asturias: Nalón Sella Navia
Canarias: Guiniguada
Uruguay: Yí Queguay
Paraguay: Tebicuary
Costa Rica: Tempisque Reventazón
Nicaragua: Coco Escondido
Murcia: Segura Mundo
Navarra: Arga Ega
Cantabria: Besaya Pas Deva
La Rioja: Najerilla Cidacos
Castilla-La Mancha: Tajo Cabriel Henares
México: Lerma Usumacinta Balsas Conchos
Colombia: Magdalena Cauca Atrato
Argentina: Paraná Bermejo Limay
Perú: Urubamba Marañón Ucayali
Chile: Maule Bío-Bío Loa
Ecuador: Guayas Napo
Bolivia: Mamoré Pilcomayo
Venezuela: Orinoco Apure
Guatemala: Motagua
Honduras: Ulúa
Panamá: Chagres
""")
    )
}

MOUNTAINS = words("""
Sierra_Nevada Picos_de_Europa Montes_de_Toledo Sierra_Morena Pirineos Sierra_de_Gredos Moncayo
Sierra_de_Guadarrama Teide Mulhacén Aneto Montseny Montserrat Sierra_de_Cazorla Peñalara Naranco
Ordesa Cabo_de_Gata Doñana Monfragüe Cabañeros Aigüestortes Somiedo Garajonay Timanfaya Andes
Aconcagua Chimborazo Cotopaxi Popocatépetl Illimani Huascarán Ojos_del_Salado Atacama Patagonia
""")

QUARTERS = words("""
Triana Lavapiés Malasaña Chamberí Vallecas Gràcia Sarrià Poblenou Ruzafa Benimaclet Albaicín
 Sacromonte
Delicias Actur Indautxu Deusto Carabanchel Usera Moratalaz Hortaleza Chueca Raval Poblesec Campanar
Cabanyal Nervión Macarena Palermo Recoleta Caballito San_Telmo Miraflores Barranco Coyoacán Polanco
Condesa Chapinero Usaquén Providencia Ñuñoa Pocitos Santurtzi Barakaldo Arrigorriaga Zaramaga
""")
