//! Cells to changes of documents.

use hashbrown::HashMap;
use storepulse_events::CountryCode;

use super::live::Live;
use super::{Account, Cell, EVENTS, Folder, LATE_FOR_HOUR, LATE_FOR_WINDOW, Sums, Topic};
use crate::document::change::{Deeds, Trend, trimmed};
use crate::document::counters::{MINUTE, MINUTE_COUNTERS, category, product, shop};
use crate::document::path::Subject;
use crate::document::{Change, DocumentId, Grain, Hour, Kind, Minute, Window};

/// A document of something that there are several of, in the interner's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Target {
    kind: Kind,
    id: u32,
    country: Option<u16>,
    grain: Grain,
}

/// The most counters of what there are several of.
type ItemSums = [i64; category::LATE + 1];

/// Changes in the making.
#[derive(Default)]
struct Rollup {
    shops: HashMap<(Option<u16>, Grain), Vec<i64>>,
    items: HashMap<Target, ItemSums>,
    /// By country: a product and a window.
    trends: HashMap<Option<u16>, HashMap<(u32, i32), Deeds>>,
}

/// See [`Folder::drain`].
pub(super) fn drain(folder: &mut Folder, mut take: impl FnMut(DocumentId, Change)) {
    let mut rollup = Rollup::default();
    for (cell, sums) in folder.cells.drain() {
        rollup.cell(&cell, &sums);
    }
    rollup.sessions(&folder.account);
    for ((country, grain), sums) in rollup.shops {
        let id =
            DocumentId::Counting { country: country.and_then(CountryCode::from_index), subject: Subject::Shop, grain };
        take(id, Change::Count { add: trimmed(&sums), name: None });
    }
    for (target, sums) in rollup.items {
        let (id, change) = folder.change(target, &sums);
        take(id, change);
    }
    for (country, products) in rollup.trends {
        folder.trends(country, products, &mut take);
    }
    visits(&mut folder.account, take);
    folder.account.clear();
}

/// The grains of a point in time that still take something in.
fn grains(window: Window, live: Live) -> impl Iterator<Item = Grain> {
    let hour = live.hour().then(|| Grain::Hour(window.hour()));
    let window_grain = live.window().then_some(Grain::Window(window));
    [Grain::Lifetime, Grain::Day(window.hour().day())].into_iter().chain(hour).chain(window_grain)
}

impl Rollup {
    fn shop_sums(&mut self, country: Option<u16>, grain: Grain) -> &mut Vec<i64> {
        self.shops.entry((country, grain)).or_insert_with(|| {
            let minutes = country.is_none() && matches!(grain, Grain::Window(_));
            vec![0; if minutes { shop::MINUTES + MINUTE_COUNTERS } else { shop::MINUTES }]
        })
    }

    fn shop(&mut self, cell: &Cell, sums: &Sums) {
        let minute = Minute::from_number(cell.time);
        for country in [Some(cell.country), None] {
            for grain in grains(minute.window(), cell.live) {
                let target = self.shop_sums(country, grain);
                for (sum, value) in target.iter_mut().zip(&sums[..shop::SESSIONS]) {
                    *sum += value;
                }
                match grain {
                    Grain::Hour(_) => target[shop::LATE] += sums[LATE_FOR_HOUR],
                    Grain::Window(_) => target[shop::LATE] += sums[LATE_FOR_WINDOW],
                    Grain::Lifetime | Grain::Day(_) => {}
                }
                if let Some(places) = target.get_mut(shop::MINUTES + MINUTE.len() * minute.in_window()..) {
                    let values = [sums[EVENTS], sums[shop::PURCHASES], sums[shop::AMOUNT]];
                    places.iter_mut().zip(values).for_each(|(place, value)| *place += value);
                }
            }
        }
    }

    fn cell(&mut self, cell: &Cell, sums: &Sums) {
        let window = Minute::from_number(cell.time).window();
        match cell.topic {
            Topic::Shop => self.shop(cell, sums),
            Topic::Category(id) => self.counted(Kind::Category, id, cell, sums, category::LATE),
            Topic::Payment(id) => self.counted(Kind::Payment, id, cell, sums, usize::MAX),
            Topic::Shipping(id) => self.counted(Kind::Shipping, id, cell, sums, usize::MAX),
            Topic::Product { product: id, category: of } => {
                self.counted(Kind::Product, id, cell, sums, product::LATE);
                // A product's counters are its category's behind the category's own views.
                let mut shifted = Sums::default();
                shifted[category::PRODUCT_VIEWS..].copy_from_slice(&sums[..sums.len() - category::PRODUCT_VIEWS]);
                self.counted(Kind::Category, of, cell, &shifted, category::LATE);
                if cell.live.trending() {
                    let deeds = [product::VIEWS, product::ADDED, product::REMOVED, product::ITEMS, product::AMOUNT];
                    for country in [Some(cell.country), None] {
                        let products = self.trends.entry(country).or_default();
                        let known = products.entry((id, window.number())).or_default();
                        known.iter_mut().zip(deeds).for_each(|(known, place)| *known += sums[place]);
                    }
                }
            }
        }
    }

    /// Adds to the documents of everything and of the day, for the country and for all, and to that of the hour for all.
    /// `late` is the place of the events after close, which only hours have.
    fn counted(&mut self, kind: Kind, id: u32, cell: &Cell, sums: &Sums, late: usize) {
        let hour = Minute::from_number(cell.time).window().hour();
        let mut add = |country: Option<u16>, grain: Grain, used: usize| {
            let target = self.items.entry(Target { kind, id, country, grain }).or_default();
            target.iter_mut().zip(&sums[..used]).for_each(|(sum, value)| *sum += value);
        };
        let used = late.min(category::LATE);
        for grain in [Grain::Lifetime, Grain::Day(hour.day())] {
            add(Some(cell.country), grain, used);
            if kind != Kind::Shipping {
                add(None, grain, used);
            }
        }
        if late != usize::MAX && cell.live.hour() {
            add(None, Grain::Hour(hour), late + 1);
        }
    }

    fn sessions(&mut self, account: &Account) {
        for ((window, country, live), counters) in &account.counters {
            for country in [Some(*country), None] {
                for grain in grains(Window::from_number(*window), *live) {
                    let sums = &mut self.shop_sums(country, grain)[shop::SESSIONS..shop::LATE];
                    sums.iter_mut().zip(counters).for_each(|(sum, counter)| *sum += counter);
                }
            }
        }
    }
}

impl Folder {
    fn change(&self, target: Target, sums: &[i64]) -> (DocumentId, Change) {
        let names = match target.kind {
            Kind::Category => Some(&self.categories),
            Kind::Product => Some(&self.products),
            Kind::Payment => Some(&self.payments),
            Kind::Shipping => Some(&self.states),
            Kind::Shop => None,
        };
        let id: Box<str> = names.map_or("", |names| names.text(target.id)).into();
        let subject = match target.kind {
            Kind::Shop => Subject::Shop,
            Kind::Category => Subject::Category(id),
            Kind::Product => Subject::Product(id),
            Kind::Payment => Subject::Payment(id),
            Kind::Shipping => Subject::Shipping(id),
        };
        let named = target.country.is_none() && target.grain == Grain::Lifetime;
        let name = names.filter(|_| named).map(|names| names.name(target.id)).filter(|name| !name.is_empty());
        let country = target.country.and_then(CountryCode::from_index);
        let document = DocumentId::Counting { country, subject, grain: target.grain };
        (document, Change::Count { add: trimmed(sums), name: name.map(Into::into) })
    }

    fn trends(
        &self,
        country: Option<u16>,
        products: HashMap<(u32, i32), Deeds>,
        take: &mut impl FnMut(DocumentId, Change),
    ) {
        let id = DocumentId::Trending(country.and_then(CountryCode::from_index));
        let mut trends = Vec::with_capacity(products.len().min(Change::MAX_TRENDS));
        for ((product, window), deeds) in products {
            let (name, product) = (self.products.name(product).into(), self.products.text(product).into());
            trends.push(Trend { product, name, window, deeds });
            if trends.len() >= Change::MAX_TRENDS {
                take(id.clone(), Change::Trending(std::mem::take(&mut trends)));
            }
        }
        if !trends.is_empty() {
            take(id, Change::Trending(trends));
        }
    }
}

/// Visitors and lengths of sessions, for the hour and the day, the country and all.
fn visits(account: &mut Account, mut take: impl FnMut(DocumentId, Change)) {
    let targets = |(hour, country, live): (i32, u16, bool)| {
        let hour = Hour::from_number(hour);
        let grains = [Some(Grain::Day(hour.day())), live.then_some(Grain::Hour(hour))];
        let countries = [CountryCode::from_index(country), None];
        grains.into_iter().flatten().flat_map(move |grain| countries.map(|country| (country, grain)))
    };
    let mut changes: HashMap<_, (Vec<u64>, HashMap<u16, i64>)> = HashMap::new();
    for (place, users) in account.users.drain() {
        for target in targets(place) {
            changes.entry(target).or_default().0.extend_from_slice(&users);
        }
    }
    for (place, lengths) in account.lengths.drain() {
        for target in targets(place) {
            let sums = &mut changes.entry(target).or_default().1;
            lengths.iter().for_each(|(bucket, count)| *sums.entry(*bucket).or_default() += count);
        }
    }
    for ((country, grain), (mut users, lengths)) in changes {
        let id = DocumentId::Counting { country, subject: Subject::Visits, grain };
        users.sort_unstable();
        users.dedup();
        let mut lengths: Vec<(u16, i64)> = lengths.into_iter().filter(|(_, count)| *count != 0).collect();
        let mut parts = users.chunks(Change::MAX_USERS).map(<[u64]>::to_vec);
        let first = parts.next().unwrap_or_default();
        take(id.clone(), Change::Visits { users: first, lengths: std::mem::take(&mut lengths) });
        for users in parts {
            take(id.clone(), Change::Visits { users, lengths: Vec::new() });
        }
    }
}
