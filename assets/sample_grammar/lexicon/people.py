"""Given names and surnames that are usual in Spain and Latin America."""

from __future__ import annotations

from sample_grammar.lexicon import words

WOMEN = words("""
Lucía María Martina Paula Sofía Valeria Julia Daniela Alba Carmen Adriana Noelia Elena Marta Sara
Claudia Irene Cristina Rocío Inés Pilar Beatriz Nuria Raquel Silvia Lorena Verónica Mónica Begoña
Ángela Aitana Ainhoa Amaia Nerea Leire Itziar Montserrat Mercè Núria Eulàlia Xiana Uxía Sabela
Catalina Valentina Camila Renata Ximena Fernanda Gabriela Mariana Alejandra Carolina Natalia
Patricia Rosario Dolores Élida Érica Concepción Encarnación Josefa Antonia Manuela Teresa Amparo
Consuelo Remedios Esperanza Soledad Milagros Asunción Estefanía Yolanda Susana Miriam Esther Noemí
Judith Belén Olga Eva Victoria Blanca Clara Jimena Candela Carlota Vega Triana Lola Macarena
Fátima Graciela Griselda Ofelia Norma Delia Leticia Guadalupe Maribel Araceli Purificación
Ascensión Matilde Emilia Aurora Berta Gloria Lidia Ariadna Elsa Ingrid Tamara Vanesa Jessica
Débora Ruth Felisa Leonor Constanza Isidora Florencia Antonella Agustina Micaela Pía Maite Garbiñe
Edurne
""")

MEN = words("""
Hugo Mateo Martín Lucas Leo Daniel Alejandro Manuel Pablo Álvaro Adrián David Mario Diego Javier
Carlos Miguel Antonio José Francisco Juan Pedro Luis Ángel Rafael Fernando Jorge Alberto Raúl
Sergio Rubén Víctor Óscar Iván Jesús Andrés Ignacio Gonzalo Rodrigo Nicolás Joaquín Guillermo
Gabriel Samuel Héctor Ismael Iker Unai Aitor Mikel Gorka Ander Jordi Pau Oriol Arnau Roger Xoán
Brais Anxo Iago Breixo Emilio Julián Agustín Santiago Felipe Esteban Tomás Ramón Vicente Enrique
Salvador Germán Lorenzo Marcelo Mauricio Facundo Bautista Thiago Benjamín Emiliano Leandro
Ezequiel Gerardo Cristóbal Baltasar Gaspar Melchor Fermín Saturnino Eusebio Eugenio Celestino
Leopoldo Arturo Alfredo Alfonso Eduardo Ernesto Ricardo Roberto César Gustavo Hernán Horacio
Jacinto Genaro Patricio Fabián Cristian Sebastián Maximiliano Valentín Bruno Édgar Izan Saúl Aarón
Jaime Marcos Isidro Anselmo Bernardo Claudio Darío Elías Fidel Gregorio Hilario Íñigo Jacobo
Leonardo Modesto
""")

SURNAMES = words("""
García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz
Hernández Díaz Moreno Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez Ramos
Gil Ramírez Serrano Blanco Molina Morales Suárez Ortega Delgado Castro Ortiz Rubio Marín Sanz
Núñez Iglesias Medina Garrido Cortés Castillo Santos Lozano Guerrero Cano Prieto Méndez Cruz Calvo
Gallego Vidal Herrera Márquez Peña Flores Cabrera Campos Vega Fuentes Carrasco Diez Caballero
Reyes Nieto Aguilar Pascual Santana Herrero Lorenzo Montero Hidalgo Giménez Ibáñez Ferrer Durán
Santiago Benítez Mora Vicente Vargas Arias Carmona Crespo Román Pastor Soto Sáez Velasco Moya
Soler Parra Esteban Bravo Gallardo Rojas Pardo Merino Franco Espinosa Izquierdo Lara Rivas Silva
Rivera Casado Arroyo Redondo Camacho Rey Vera Otero Luque Galán Montes Ríos Sierra Segura Carrillo
Marcos Soriano Mendoza Bernal Vila Valero Palacios Expósito Benito Andreu Ramón Macías Pereira
Guerra Roldán Heredia Bueno Contreras Villar Menéndez Varela Miranda Guillén Mateo Escudero
Aguilera Casas Aparicio Rivero Estévez Beltrán Padilla Gracia Rico Calderón Abad Galindo Conde
Salas Quintana Jurado Plaza Acosta Aranda Bermúdez Blázquez Roca Guzmán Costa Santamaría Miguel
Serra Villanueva Cuesta Manzano Tomás Hurtado Trujillo Rueda Simón Pacheco Mesa Ávila De_la_Fuente
Pons Mena Lázaro Sancho Escobar Millán Alarcón Blasco Zamora Salazar Luna Paredes Valverde Bermejo
Ballesteros Oliva Cordero Quesada Etxeberria Agirre Goikoetxea Zubizarreta Arriaga Ugarte
Olabarria Mendizabal Urrutia Ibarra Echeverría Elizalde Puig Ferrer Riera Bosch Vilanova Casals
Figueras Rovira Montaner Queralt Folch Sabaté Capdevila Piñeiro Fariña Couto Seoane Rial Lago
Quiroga Pazos Losada Figueroa Souto Mosquera Pombo Bouzas Quispe Mamani Huamán Condori Ticona
Choque Yupanqui Cárdenas Ocampo Zapata Restrepo Uribe Jaramillo Arango Echeverri Betancur Montoya
Ospina Hoyos Giraldo Valdivia Sepúlveda Undurraga Errázuriz Larraín Poblete Cifuentes Alvarado
Zúñiga Solórzano Chacón Bustamante Bolaños Cisneros Villalobos Anaya Barragán Cervantes
Covarrubias Elizondo Treviño Garza Sandoval Zaragoza Villaseñor Tejeda Urquiza Pellegrini Bianchi
Ferreyra Sosa Peralta Ledesma Godoy Maldonado Ojeda Cáceres Barrios
""")
