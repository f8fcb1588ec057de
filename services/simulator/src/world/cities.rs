//! Where shoppers live: real cities with their coordinates and populations.

use storepulse_events::CountryCode;

/// A city of [`COUNTRIES`].
#[derive(Clone, Copy, Debug)]
pub struct City {
    /// State, province or region.
    pub state: &'static str,
    /// Name of the city.
    pub name: &'static str,
    /// Degrees north of the centre.
    pub latitude: f64,
    /// Degrees east of the centre.
    pub longitude: f64,
    /// Inhabitants in thousands, rounded: the weight with which shoppers live there.
    pub population_thousands: u32,
}

/// Code of a country with its cities.
type Country = (&'static str, &'static [City]);

const fn c(state: &'static str, name: &'static str, latitude: f64, longitude: f64, population_thousands: u32) -> City {
    City { state, name, latitude, longitude, population_thousands }
}

/// All cities with their countries, in the order of the table.
///
/// Countries whose code ISO 3166-1 does not assign would be left out; a test shows that there are none.
pub fn cities() -> impl Iterator<Item = (CountryCode, City)> {
    COUNTRIES
        .iter()
        .filter_map(|(code, cities)| CountryCode::parse(code).map(|code| (code, cities)))
        .flat_map(|(code, cities)| cities.iter().map(move |city| (code, *city)))
}

/// Countries and their cities.
#[rustfmt::skip]
const COUNTRIES: &[Country] = &[
    ("US", &[
        c("New York", "New York", 40.7128, -74.0060, 8258), c("California", "Los Angeles", 34.0522, -118.2437, 3821),
        c("Illinois", "Chicago", 41.8781, -87.6298, 2664), c("Texas", "Houston", 29.7604, -95.3698, 2314),
        c("Arizona", "Phoenix", 33.4484, -112.0740, 1650), c("Pennsylvania", "Philadelphia", 39.9526, -75.1652, 1550),
        c("Texas", "San Antonio", 29.4241, -98.4936, 1495), c("California", "San Diego", 32.7157, -117.1611, 1388),
        c("Texas", "Dallas", 32.7767, -96.7970, 1302), c("Florida", "Jacksonville", 30.3322, -81.6557, 986),
        c("Texas", "Austin", 30.2672, -97.7431, 980), c("California", "San Jose", 37.3382, -121.8863, 969),
        c("North Carolina", "Charlotte", 35.2271, -80.8431, 911), c("Ohio", "Columbus", 39.9612, -82.9988, 913),
        c("Washington", "Seattle", 47.6062, -122.3321, 755), c("Colorado", "Denver", 39.7392, -104.9903, 716),
        c("Massachusetts", "Boston", 42.3601, -71.0589, 653), c("Georgia", "Atlanta", 33.7490, -84.3880, 510),
        c("Florida", "Miami", 25.7617, -80.1918, 455), c("Hawaii", "Honolulu", 21.3069, -157.8583, 342),
    ]),
    ("CA", &[
        c("Ontario", "Toronto", 43.6532, -79.3832, 2794), c("Quebec", "Montreal", 45.5019, -73.5674, 1763),
        c("Alberta", "Calgary", 51.0447, -114.0719, 1307), c("Ontario", "Ottawa", 45.4215, -75.6972, 1017),
        c("Alberta", "Edmonton", 53.5461, -113.4938, 1011), c("Manitoba", "Winnipeg", 49.8951, -97.1384, 750),
        c("British Columbia", "Vancouver", 49.2827, -123.1207, 662), c("Nova Scotia", "Halifax", 44.6488, -63.5752, 439),
    ]),
    ("MX", &[
        c("Ciudad de México", "Mexico City", 19.4326, -99.1332, 9210), c("Baja California", "Tijuana", 32.5149, -117.0382, 1811),
        c("Guanajuato", "León", 21.1250, -101.6860, 1579), c("Puebla", "Puebla", 19.0414, -98.2063, 1542),
        c("Jalisco", "Guadalajara", 20.6597, -103.3496, 1385), c("Nuevo León", "Monterrey", 25.6866, -100.3161, 1143),
        c("Yucatán", "Mérida", 20.9674, -89.5926, 921),
    ]),
    ("BR", &[
        c("São Paulo", "São Paulo", -23.5505, -46.6333, 11452), c("Rio de Janeiro", "Rio de Janeiro", -22.9068, -43.1729, 6211),
        c("Distrito Federal", "Brasília", -15.7939, -47.8828, 2817), c("Ceará", "Fortaleza", -3.7319, -38.5267, 2429),
        c("Bahia", "Salvador", -12.9777, -38.5016, 2418), c("Minas Gerais", "Belo Horizonte", -19.9167, -43.9345, 2316),
        c("Amazonas", "Manaus", -3.1190, -60.0217, 2064), c("Paraná", "Curitiba", -25.4284, -49.2733, 1774),
        c("Pernambuco", "Recife", -8.0476, -34.8770, 1489), c("Rio Grande do Sul", "Porto Alegre", -30.0346, -51.2177, 1333),
    ]),
    ("AR", &[
        c("Buenos Aires", "Buenos Aires", -34.6037, -58.3816, 3121), c("Córdoba", "Córdoba", -31.4201, -64.1888, 1505),
        c("Santa Fe", "Rosario", -32.9442, -60.6505, 1030), c("Mendoza", "Mendoza", -32.8895, -68.8458, 115),
        c("Tucumán", "San Miguel de Tucumán", -26.8083, -65.2176, 605),
    ]),
    ("CO", &[
        c("Bogotá", "Bogotá", 4.7110, -74.0721, 7937), c("Antioquia", "Medellín", 6.2442, -75.5812, 2612),
        c("Valle del Cauca", "Cali", 3.4516, -76.5320, 2280), c("Atlántico", "Barranquilla", 10.9685, -74.7813, 1334),
    ]),
    ("CL", &[
        c("Región Metropolitana", "Santiago", -33.4489, -70.6693, 6160), c("Valparaíso", "Valparaíso", -33.0472, -71.6127, 296),
        c("Biobío", "Concepción", -36.8201, -73.0444, 223),
    ]),
    ("GB", &[
        c("England", "London", 51.5074, -0.1278, 8866), c("England", "Birmingham", 52.4862, -1.8904, 1157),
        c("England", "Leeds", 53.8008, -1.5491, 822), c("Scotland", "Glasgow", 55.8642, -4.2518, 622),
        c("England", "Manchester", 53.4808, -2.2426, 568), c("Scotland", "Edinburgh", 55.9533, -3.1883, 514),
        c("England", "Liverpool", 53.4084, -2.9916, 496), c("England", "Bristol", 51.4545, -2.5879, 479),
        c("Wales", "Cardiff", 51.4816, -3.1791, 372), c("Northern Ireland", "Belfast", 54.5973, -5.9301, 348),
    ]),
    ("IE", &[
        c("Leinster", "Dublin", 53.3498, -6.2603, 592), c("Munster", "Cork", 51.8985, -8.4756, 224),
        c("Connacht", "Galway", 53.2707, -9.0568, 86),
    ]),
    ("FR", &[
        c("Île-de-France", "Paris", 48.8566, 2.3522, 2103), c("Provence-Alpes-Côte d'Azur", "Marseille", 43.2965, 5.3698, 873),
        c("Auvergne-Rhône-Alpes", "Lyon", 45.7640, 4.8357, 522), c("Occitanie", "Toulouse", 43.6047, 1.4442, 504),
        c("Provence-Alpes-Côte d'Azur", "Nice", 43.7102, 7.2620, 349), c("Pays de la Loire", "Nantes", 47.2184, -1.5536, 323),
        c("Grand Est", "Strasbourg", 48.5734, 7.7521, 291), c("Nouvelle-Aquitaine", "Bordeaux", 44.8378, -0.5792, 262),
        c("Hauts-de-France", "Lille", 50.6292, 3.0573, 237),
    ]),
    ("DE", &[
        c("Berlin", "Berlin", 52.5200, 13.4050, 3755), c("Hamburg", "Hamburg", 53.5511, 9.9937, 1892),
        c("Bavaria", "Munich", 48.1351, 11.5820, 1512), c("North Rhine-Westphalia", "Cologne", 50.9375, 6.9603, 1085),
        c("Hesse", "Frankfurt am Main", 50.1109, 8.6821, 773), c("Baden-Württemberg", "Stuttgart", 48.7758, 9.1829, 633),
        c("North Rhine-Westphalia", "Düsseldorf", 51.2277, 6.7735, 629), c("Saxony", "Leipzig", 51.3397, 12.3731, 616),
        c("North Rhine-Westphalia", "Dortmund", 51.5136, 7.4653, 594), c("Bremen", "Bremen", 53.0793, 8.8017, 570),
        c("Saxony", "Dresden", 51.0504, 13.7373, 563), c("Lower Saxony", "Hanover", 52.3759, 9.7320, 545),
        c("Bavaria", "Nuremberg", 49.4521, 11.0767, 523),
    ]),
    ("NL", &[
        c("North Holland", "Amsterdam", 52.3676, 4.9041, 918), c("South Holland", "Rotterdam", 51.9244, 4.4777, 664),
        c("South Holland", "The Hague", 52.0705, 4.3007, 563), c("Utrecht", "Utrecht", 52.0907, 5.1214, 368),
        c("North Brabant", "Eindhoven", 51.4416, 5.4697, 244),
    ]),
    ("BE", &[
        c("Brussels", "Brussels", 50.8503, 4.3517, 1241), c("Flanders", "Antwerp", 51.2194, 4.4025, 536),
        c("Flanders", "Ghent", 51.0543, 3.7174, 268), c("Wallonia", "Liège", 50.6326, 5.5797, 196),
    ]),
    ("ES", &[
        c("Community of Madrid", "Madrid", 40.4168, -3.7038, 3332), c("Catalonia", "Barcelona", 41.3874, 2.1686, 1660),
        c("Valencian Community", "Valencia", 39.4699, -0.3763, 807), c("Andalusia", "Seville", 37.3891, -5.9845, 684),
        c("Aragon", "Zaragoza", 41.6488, -0.8891, 682), c("Andalusia", "Málaga", 36.7213, -4.4214, 586),
        c("Basque Country", "Bilbao", 43.2630, -2.9350, 346),
    ]),
    ("PT", &[
        c("Lisbon", "Lisbon", 38.7223, -9.1393, 567), c("Porto", "Porto", 41.1579, -8.6291, 248),
        c("Braga", "Braga", 41.5454, -8.4265, 201),
    ]),
    ("IT", &[
        c("Lazio", "Rome", 41.9028, 12.4964, 2755), c("Lombardy", "Milan", 45.4642, 9.1900, 1362),
        c("Campania", "Naples", 40.8518, 14.2681, 912), c("Piedmont", "Turin", 45.0703, 7.6869, 848),
        c("Sicily", "Palermo", 38.1157, 13.3615, 630), c("Liguria", "Genoa", 44.4056, 8.9463, 561),
        c("Emilia-Romagna", "Bologna", 44.4949, 11.3426, 390), c("Tuscany", "Florence", 43.7696, 11.2558, 361),
    ]),
    ("CH", &[
        c("Zürich", "Zürich", 47.3769, 8.5417, 436), c("Geneva", "Geneva", 46.2044, 6.1432, 203),
        c("Basel-Stadt", "Basel", 47.5596, 7.5886, 174), c("Bern", "Bern", 46.9480, 7.4474, 134),
    ]),
    ("AT", &[
        c("Vienna", "Vienna", 48.2082, 16.3738, 1983), c("Styria", "Graz", 47.0707, 15.4395, 298),
        c("Upper Austria", "Linz", 48.3069, 14.2858, 211), c("Salzburg", "Salzburg", 47.8095, 13.0550, 156),
    ]),
    ("PL", &[
        c("Masovia", "Warsaw", 52.2297, 21.0122, 1861), c("Lesser Poland", "Kraków", 50.0647, 19.9450, 803),
        c("Lower Silesia", "Wrocław", 51.1079, 17.0385, 674), c("Łódź", "Łódź", 51.7592, 19.4560, 658),
        c("Greater Poland", "Poznań", 52.4064, 16.9252, 541), c("Pomerania", "Gdańsk", 54.3520, 18.6466, 487),
    ]),
    ("CZ", &[
        c("Prague", "Prague", 50.0755, 14.4378, 1357), c("South Moravia", "Brno", 49.1951, 16.6068, 396),
        c("Moravia-Silesia", "Ostrava", 49.8209, 18.2625, 284),
    ]),
    ("SE", &[
        c("Stockholm", "Stockholm", 59.3293, 18.0686, 984), c("Västra Götaland", "Gothenburg", 57.7089, 11.9746, 596),
        c("Skåne", "Malmö", 55.6050, 13.0038, 362), c("Uppsala", "Uppsala", 59.8586, 17.6389, 245),
    ]),
    ("NO", &[
        c("Oslo", "Oslo", 59.9139, 10.7522, 709), c("Vestland", "Bergen", 60.3913, 5.3221, 292),
        c("Trøndelag", "Trondheim", 63.4305, 10.3951, 213), c("Troms", "Tromsø", 69.6492, 18.9553, 78),
    ]),
    ("DK", &[
        c("Capital Region", "Copenhagen", 55.6761, 12.5683, 660), c("Central Denmark", "Aarhus", 56.1629, 10.2039, 290),
        c("Southern Denmark", "Odense", 55.4038, 10.4024, 183),
    ]),
    ("FI", &[
        c("Uusimaa", "Helsinki", 60.1699, 24.9384, 674), c("Pirkanmaa", "Tampere", 61.4978, 23.7610, 255),
        c("Southwest Finland", "Turku", 60.4518, 22.2666, 202),
    ]),
    ("GR", &[
        c("Attica", "Athens", 37.9838, 23.7275, 643), c("Central Macedonia", "Thessaloniki", 40.6401, 22.9444, 319),
    ]),
    ("TR", &[
        c("Istanbul", "Istanbul", 41.0082, 28.9784, 15656), c("Ankara", "Ankara", 39.9334, 32.8597, 5804),
        c("İzmir", "İzmir", 38.4237, 27.1428, 4480), c("Bursa", "Bursa", 40.1885, 29.0610, 3215),
        c("Antalya", "Antalya", 36.8969, 30.7133, 2697),
    ]),
    ("EG", &[
        c("Cairo", "Cairo", 30.0444, 31.2357, 10204), c("Alexandria", "Alexandria", 31.2001, 29.9187, 5529),
        c("Giza", "Giza", 30.0131, 31.2089, 4459),
    ]),
    ("NG", &[
        c("Lagos", "Lagos", 6.5244, 3.3792, 15388), c("Kano", "Kano", 12.0022, 8.5920, 4219),
        c("Oyo", "Ibadan", 7.3775, 3.9470, 3756), c("Federal Capital Territory", "Abuja", 9.0765, 7.3986, 3652),
    ]),
    ("KE", &[
        c("Nairobi", "Nairobi", -1.2921, 36.8219, 4397), c("Mombasa", "Mombasa", -4.0435, 39.6682, 1208),
    ]),
    ("ZA", &[
        c("Gauteng", "Johannesburg", -26.2041, 28.0473, 4803), c("Western Cape", "Cape Town", -33.9249, 18.4241, 4772),
        c("KwaZulu-Natal", "Durban", -29.8587, 31.0218, 4239), c("Gauteng", "Pretoria", -25.7479, 28.2293, 4040),
    ]),
    ("AE", &[
        c("Dubai", "Dubai", 25.2048, 55.2708, 3655), c("Abu Dhabi", "Abu Dhabi", 24.4539, 54.3773, 1570),
        c("Sharjah", "Sharjah", 25.3463, 55.4209, 1274),
    ]),
    ("IN", &[
        c("Maharashtra", "Mumbai", 19.0760, 72.8777, 12478), c("Delhi", "Delhi", 28.7041, 77.1025, 11035),
        c("Karnataka", "Bengaluru", 12.9716, 77.5946, 8444), c("Telangana", "Hyderabad", 17.3850, 78.4867, 6810),
        c("Gujarat", "Ahmedabad", 23.0225, 72.5714, 5571), c("Tamil Nadu", "Chennai", 13.0827, 80.2707, 4681),
        c("West Bengal", "Kolkata", 22.5726, 88.3639, 4497), c("Maharashtra", "Pune", 18.5204, 73.8567, 3115),
        c("Rajasthan", "Jaipur", 26.9124, 75.7873, 3046), c("Uttar Pradesh", "Lucknow", 26.8467, 80.9462, 2815),
    ]),
    ("CN", &[
        c("Shanghai", "Shanghai", 31.2304, 121.4737, 24871), c("Beijing", "Beijing", 39.9042, 116.4074, 21893),
        c("Guangdong", "Shenzhen", 22.5431, 114.0579, 17494), c("Guangdong", "Guangzhou", 23.1291, 113.2644, 16096),
        c("Sichuan", "Chengdu", 30.5728, 104.0668, 13568), c("Hubei", "Wuhan", 30.5928, 114.3055, 10495),
        c("Shaanxi", "Xi'an", 34.3416, 108.9398, 9393), c("Zhejiang", "Hangzhou", 30.2741, 120.1551, 9236),
        c("Jiangsu", "Nanjing", 32.0603, 118.7969, 7520),
    ]),
    ("JP", &[
        c("Tokyo", "Tokyo", 35.6762, 139.6503, 14095), c("Kanagawa", "Yokohama", 35.4437, 139.6380, 3772),
        c("Osaka", "Osaka", 34.6937, 135.5023, 2753), c("Aichi", "Nagoya", 35.1815, 136.9066, 2326),
        c("Hokkaido", "Sapporo", 43.0618, 141.3545, 1960), c("Fukuoka", "Fukuoka", 33.5902, 130.4017, 1632),
        c("Kyoto", "Kyoto", 35.0116, 135.7681, 1443), c("Hiroshima", "Hiroshima", 34.3853, 132.4553, 1184),
    ]),
    ("KR", &[
        c("Seoul", "Seoul", 37.5665, 126.9780, 9386), c("Busan", "Busan", 35.1796, 129.0756, 3293),
        c("Incheon", "Incheon", 37.4563, 126.7052, 2997), c("Daegu", "Daegu", 35.8714, 128.6014, 2375),
    ]),
    ("ID", &[
        c("Jakarta", "Jakarta", -6.2088, 106.8456, 10672), c("East Java", "Surabaya", -7.2575, 112.7521, 2887),
        c("West Java", "Bandung", -6.9175, 107.6191, 2506), c("North Sumatra", "Medan", 3.5952, 98.6722, 2474),
    ]),
    ("TH", &[
        c("Bangkok", "Bangkok", 13.7563, 100.5018, 5455), c("Chiang Mai", "Chiang Mai", 18.7883, 98.9853, 127),
    ]),
    ("VN", &[
        c("Ho Chi Minh City", "Ho Chi Minh City", 10.8231, 106.6297, 8993), c("Hanoi", "Hanoi", 21.0278, 105.8342, 8054),
        c("Da Nang", "Da Nang", 16.0544, 108.2022, 1134),
    ]),
    ("SG", &[c("", "Singapore", 1.3521, 103.8198, 5918)]),
    ("AU", &[
        c("New South Wales", "Sydney", -33.8688, 151.2093, 5451), c("Victoria", "Melbourne", -37.8136, 144.9631, 5207),
        c("Queensland", "Brisbane", -27.4698, 153.0251, 2706), c("Western Australia", "Perth", -31.9505, 115.8605, 2309),
        c("South Australia", "Adelaide", -34.9285, 138.6007, 1447), c("Tasmania", "Hobart", -42.8821, 147.3272, 254),
    ]),
    ("NZ", &[
        c("Auckland", "Auckland", -36.8509, 174.7645, 1478), c("Canterbury", "Christchurch", -43.5321, 172.6362, 389),
        c("Wellington", "Wellington", -41.2866, 174.7756, 212),
    ]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_has_many_valid_places() {
        let listed: usize = COUNTRIES.iter().map(|(_, cities)| cities.len()).sum();
        assert_eq!(cities().count(), listed, "every country code is assigned");
        assert!(listed >= 200, "{listed}");
        assert!(COUNTRIES.len() >= 25);
        let distinct: BTreeSet<_> = cities().map(|(code, city)| (code, city.state, city.name)).collect();
        assert_eq!(distinct.len(), listed);
        for (_, city) in cities() {
            assert!((-85.0..85.0).contains(&city.latitude) && (-179.0..179.0).contains(&city.longitude));
            assert!(city.population_thousands > 0, "{}", city.name);
        }
    }
}
