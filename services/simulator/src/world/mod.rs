//! What the seed decides once, the same for all workers: products, categories, payment methods, and where people live.

mod catalog;
mod cities;
mod people;

use storepulse_events::{Category, CountryCode, Location, PaymentMethod, Product};

use crate::rng::{Rng, Weighted, derive};
pub use cities::{City, cities};
pub use people::{PAYMENT_METHODS, USER_AGENTS};

/// Products, categories and places, with the choice among them.
#[derive(Debug)]
pub struct World {
    /// Categories, the most popular not necessarily first.
    pub categories: Vec<CategoryEntry>,
    /// Products in the order of their ids.
    pub products: Vec<Product<'static>>,
    /// Ways to pay.
    pub payment_methods: Vec<PaymentMethod<'static>>,
    cities: Vec<(CountryCode, City)>,
    city_choice: Weighted,
    category_choice: Weighted,
    payment_choice: Weighted,
}

/// A category with the products in it.
#[derive(Debug)]
pub struct CategoryEntry {
    /// Id and name.
    pub category: Category<'static>,
    products: Vec<u32>,
    choice: Weighted,
}

impl World {
    /// The world of a seed. `products` and `categories` are at least 1, and there are not more categories than products.
    pub fn new(seed: u64, products: usize, categories: usize, currency: &str) -> Self {
        let mut rng = Rng::new(derive(seed, 0x0077_6f72_6c64));
        let catalog = catalog::build(&mut rng, products, categories, currency);
        let cities: Vec<_> = cities().collect();
        let weights: Vec<f64> = cities.iter().map(|(_, c)| f64::from(c.population_thousands)).collect();
        let weight = |members: &[u32]| members.iter().map(|p| catalog.weights[*p as usize]).collect::<Vec<_>>();
        let totals: Vec<f64> = catalog.members.iter().map(|m| weight(m).iter().sum()).collect();
        let entries = catalog.categories.into_iter().zip(&catalog.members).map(|(category, members)| CategoryEntry {
            category,
            choice: Weighted::new(&weight(members)),
            products: members.clone(),
        });
        Self {
            categories: entries.collect(),
            products: catalog.products,
            payment_methods: PAYMENT_METHODS
                .iter()
                .map(|(id, name, _)| PaymentMethod { id: (*id).into(), name: (*name).into() })
                .collect(),
            city_choice: Weighted::new(&weights),
            cities,
            category_choice: Weighted::new(&totals),
            payment_choice: Weighted::new(&PAYMENT_METHODS.map(|(_, _, weight)| weight)),
        }
    }

    /// The same world with shoppers in the first so many countries only; at least 1.
    #[must_use]
    pub fn with_countries(mut self, count: usize) -> Self {
        let mut seen = Vec::new();
        self.cities.retain(|(country, _)| {
            if !seen.contains(country) && seen.len() < count.max(1) {
                seen.push(*country);
            }
            seen.contains(country)
        });
        let weights: Vec<f64> = self.cities.iter().map(|(_, city)| f64::from(city.population_thousands)).collect();
        self.city_choice = Weighted::new(&weights);
        self
    }

    /// A category, by popularity.
    pub fn pick_category(&self, rng: &mut Rng) -> usize {
        self.category_choice.pick(rng)
    }

    /// A product of a category, by popularity: its index in [`Self::products`].
    pub fn pick_product(&self, rng: &mut Rng, category: usize) -> u32 {
        let entry = &self.categories[category];
        entry.products[entry.choice.pick(rng)]
    }

    /// A payment method, by popularity: its index in [`Self::payment_methods`].
    pub fn pick_payment(&self, rng: &mut Rng) -> usize {
        self.payment_choice.pick(rng)
    }

    /// A place to live: a city weighted by its population, and a point up to about 9 km around its centre, its
    /// coordinates rounded to six decimals.
    pub fn pick_location(&self, rng: &mut Rng) -> Location<'static> {
        let (country, city) = &self.cities[self.city_choice.pick(rng)];
        let mut around = |degrees: f64| {
            let moved = degrees + (rng.unit() + rng.unit() - 1.0) * 0.08;
            (moved * 1e6).round() / 1e6
        };
        Location {
            country: *country,
            state: city.state.into(),
            city: city.name.into(),
            latitude: around(city.latitude),
            longitude: around(city.longitude),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_makes_the_same_world() {
        let names = |seed| {
            let world = World::new(seed, 100, 8, "USD");
            world.products.iter().map(|p| format!("{} {} {}", p.id, p.name, p.price)).collect::<Vec<_>>()
        };
        assert_eq!(names(1), names(1));
        assert_ne!(names(1), names(2));
    }

    #[test]
    fn popularity_is_skewed() {
        let world = World::new(1, 100, 8, "USD");
        let mut rng = Rng::new(1);
        let mut counts = vec![0u32; 100];
        for _ in 0..100_000 {
            let category = world.pick_category(&mut rng);
            let product = world.pick_product(&mut rng, category);
            assert_eq!(world.products[product as usize].category, world.categories[category].category);
            counts[product as usize] += 1;
        }
        counts.sort_unstable_by(|a, b| b.cmp(a));
        // Zipf with exponent 1 over 100: the first gets 1 / H(100) = 19.3 %, the second half as much.
        assert!((18_000..21_000).contains(&counts[0]), "{counts:?}");
        assert!((8_800..10_500).contains(&counts[1]), "{counts:?}");
        assert!(counts[99] > 0);
    }

    #[test]
    fn people_live_in_many_countries() {
        let world = World::new(1, 1, 1, "USD");
        let mut rng = Rng::new(1);
        let seen: BTreeSet<_> = (0..20_000).map(|_| world.pick_location(&mut rng).country).collect();
        assert!(seen.len() >= 25, "{seen:?}");
    }

    #[test]
    fn people_can_be_kept_to_some_countries() {
        let places = |world: &World| -> BTreeSet<_> {
            let mut rng = Rng::new(1);
            (0..20_000).map(|_| world.pick_location(&mut rng).country).collect()
        };
        let world = World::new(1, 1, 1, "USD").with_countries(3);
        assert_eq!(places(&world).len(), 3);
        let all = World::new(1, 1, 1, "USD");
        assert_eq!(places(&World::new(1, 1, 1, "USD").with_countries(usize::MAX)), places(&all));
    }
}
