//! The shop's catalog: names that read like a shop's, prices that spread like a shop's, skewed popularity.

use storepulse_events::{Category, Money, Product};

use crate::rng::Rng;

/// Categories, products, and which belongs where.
pub(super) struct Catalog {
    pub categories: Vec<Category<'static>>,
    pub products: Vec<Product<'static>>,
    /// The products of each category; none is empty.
    pub members: Vec<Vec<u32>>,
    /// Popularity of each product (Zipf, exponent 1).
    pub weights: Vec<f64>,
}

/// Id, name, median price in whole units of currency, kinds of product.
type Department = (&'static str, &'static str, i64, [&'static str; 10]);

#[rustfmt::skip]
const DEPARTMENTS: [Department; 12] = [
    ("electronics", "Electronics", 149, ["headphones", "portable speaker", "e-reader", "action camera", "power bank",
        "webcam", "smart watch", "tablet", "mechanical keyboard", "projector"]),
    ("home", "Home & Living", 45, ["desk lamp", "wool blanket", "bookshelf", "wall clock", "storage box",
        "curtain set", "floor rug", "cushion", "mirror", "candle holder"]),
    ("fashion", "Fashion", 39, ["rain jacket", "linen shirt", "denim jeans", "scarf", "leather belt",
        "sneakers", "wool sweater", "summer dress", "beanie", "trench coat"]),
    ("sports", "Sports & Outdoors", 59, ["yoga mat", "trail shoes", "tent", "sleeping bag", "kettlebell",
        "cycling helmet", "water bottle", "climbing rope", "tennis racket", "rowing machine"]),
    ("kitchen", "Kitchen", 35, ["chef's knife", "espresso maker", "cast-iron pan", "mixing bowl", "kettle",
        "spice rack", "cutting board", "stand mixer", "tea set", "baking tray"]),
    ("books", "Books", 18, ["cookbook", "travel guide", "crime novel", "atlas", "poetry collection",
        "biography", "picture book", "garden handbook", "short stories", "history of science"]),
    ("beauty", "Beauty & Care", 24, ["face cream", "shampoo bar", "hair dryer", "perfume", "lip balm",
        "beard oil", "bath salts", "sun lotion", "nail kit", "electric toothbrush"]),
    ("toys", "Toys & Games", 29, ["building blocks", "board game", "plush bear", "jigsaw puzzle", "model train",
        "kite", "card game", "dollhouse", "science kit", "marble run"]),
    ("garden", "Garden", 42, ["watering can", "pruning shears", "raised bed", "garden hose", "bird feeder",
        "hammock", "solar lantern", "compost bin", "lawn mower", "fire bowl"]),
    ("office", "Office", 32, ["fountain pen", "desk organizer", "office chair", "notebook set", "label printer",
        "whiteboard", "paper shredder", "monitor arm", "desk mat", "document scanner"]),
    ("pets", "Pets", 27, ["cat tree", "dog bed", "leash", "aquarium", "scratching post",
        "feeding bowl", "travel crate", "chew toy", "bird cage", "grooming brush"]),
    ("music", "Music", 119, ["acoustic guitar", "ukulele", "MIDI keyboard", "microphone", "music stand",
        "drum pad", "violin", "harmonica", "turntable", "studio monitor"]),
];

const QUALITIES: [&str; 24] = [
    "Nordic",
    "Walnut",
    "Classic",
    "Compact",
    "Everyday",
    "Heritage",
    "Coastal",
    "Urban",
    "Alpine",
    "Sage",
    "Copper",
    "Ivory",
    "Lightweight",
    "Premium",
    "Vintage",
    "Studio",
    "Eco",
    "Midnight",
    "Amber",
    "Artisan",
    "Modern",
    "Cobalt",
    "Cedar",
    "Essential",
];

/// Price between one minor unit and 50,000 units of currency: about log-normal around the median, because it is the
/// product of many independent factors; ends in 99, 95, 90 or 49 as shops' prices do.
fn price(rng: &mut Rng, median: i64) -> Money {
    let factor = (0..8).map(|_| 0.73 + rng.unit() * 0.56).product::<f64>();
    let units = (median as f64 * factor) as i64;
    let ending = *rng.pick(&[99, 99, 95, 90, 49]);
    Money::from_minor(units.clamp(1, 50_000) * 100 - 100 + ending)
}

pub(super) fn build(rng: &mut Rng, products: usize, categories: usize, currency: &str) -> Catalog {
    let department = |i: usize| DEPARTMENTS[i % DEPARTMENTS.len()];
    let named = |i: usize| {
        let (id, name, ..) = department(i);
        match i / DEPARTMENTS.len() {
            0 => Category { id: id.into(), name: name.into() },
            n => Category { id: format!("{id}-{}", n + 1).into(), name: format!("{name} {}", n + 1).into() },
        }
    };
    let list: Vec<Category<'static>> = (0..categories).map(named).collect();
    let mut members = vec![Vec::new(); categories];
    let mut made = Vec::with_capacity(products);
    // A starting point of its own for each category, so that two seeds don't sell the same things.
    let starts: Vec<usize> = (0..categories).map(|_| rng.below(240) as usize).collect();
    for i in 0..products {
        let home = i % categories;
        let (.., median, kinds) = department(home);
        let nth = starts[home] + members[home].len();
        // 10 and 24 have the least common multiple 120; the shift by one in every other 120 reaches all 240 pairs.
        let (quality, kind) = (QUALITIES[(nth + nth / 120 % 2) % QUALITIES.len()], kinds[nth % kinds.len()]);
        let name = match members[home].len() / 240 {
            0 => format!("{quality} {kind}"),
            n => format!("{quality} {kind} mk {}", n + 1),
        };
        members[home].push(i as u32);
        made.push(Product {
            id: format!("prod-{:04}", i + 1).into(),
            name: name.into(),
            category: list[home].clone(),
            price: price(rng, median),
            currency: currency.to_owned().into(),
        });
    }
    let mut ranks: Vec<usize> = (1..=products).collect();
    for i in (1..products).rev() {
        ranks.swap(i, rng.below(i as u64 + 1) as usize);
    }
    let weights = ranks.into_iter().map(|rank| 1.0 / rank as f64).collect();
    Catalog { categories: list, products: made, members, weights }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_ids_are_distinct_and_prices_positive() {
        let catalog = build(&mut Rng::new(1), 5_000, 15, "USD");
        let ids: BTreeSet<_> = catalog.products.iter().map(|p| &p.id).collect();
        assert_eq!(ids.len(), 5_000);
        let names: BTreeSet<_> = catalog.products.iter().map(|p| (&p.category.id, &p.name)).collect();
        assert_eq!(names.len(), 5_000);
        assert!(catalog.products.iter().all(|p| p.price > Money::ZERO));
        assert!(catalog.members.iter().all(|m| !m.is_empty()));
    }

    #[test]
    fn prices_spread_around_the_median() {
        let mut rng = Rng::new(2);
        let mut prices: Vec<_> = (0..10_001).map(|_| price(&mut rng, 100).minor()).collect();
        prices.sort_unstable();
        assert!((8_000..12_500).contains(&prices[5_000]), "{}", prices[5_000]);
        assert!(prices[10_000] > 3 * prices[5_000] / 2 && prices[0] * 2 < prices[5_000]);
    }
}
