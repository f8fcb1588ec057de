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

/// A cell of all countries.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct WorldCell {
    topic: Topic,
    time: i64,
    live: Live,
}

/// See [`Folder::drain`].
///
/// A cell of a product goes into up to fifteen documents. So it is first added to its category's cell and to that of all
/// countries, of which there are far fewer.
pub(super) fn drain(folder: &mut Folder, mut take: impl FnMut(DocumentId, Change)) {
    let mut rollup = Rollup::default();
    let mut categories = HashMap::<Cell, Sums>::new();
    let mut world = HashMap::<WorldCell, Sums>::new();
    let mut one = |rollup: &mut Rollup, cell: &Cell, sums: &Sums| {
        let Cell { topic, time, country, live } = *cell;
        rollup.cell(topic, time, Some(country), live, sums);
        if !matches!(topic, Topic::Shipping(_)) {
            add(world.entry(WorldCell { topic, time, live }).or_default(), sums);
        }
    };
    for (cell, sums) in folder.cells.drain() {
        if let Some(of) = category_of(&cell) {
            // A product's counters are its category's behind the category's own views.
            let shifted = &mut categories.entry(of).or_default()[category::PRODUCT_VIEWS..];
            add(shifted, &sums);
        }
        one(&mut rollup, &cell, &sums);
    }
    for (cell, sums) in &categories {
        one(&mut rollup, cell, sums);
    }
    for (WorldCell { topic, time, live }, sums) in world {
        rollup.cell(topic, time, None, live, &sums);
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

/// Adds values to the sums at their places.
#[inline]
pub(super) fn add(sums: &mut [i64], values: &[i64]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

/// The category's cell that a product's adds to.
fn category_of(cell: &Cell) -> Option<Cell> {
    let Topic::Product { category, .. } = cell.topic else { return None };
    let time = i64::from(Minute::from_number(cell.time).window().hour().number()) * 60;
    Some(Cell { topic: Topic::Category(category), time, ..*cell })
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

    fn shop(&mut self, minute: Minute, country: Option<u16>, live: Live, sums: &Sums) {
        for grain in grains(minute.window(), live) {
            let target = self.shop_sums(country, grain);
            add(target, &sums[..shop::SESSIONS]);
            match grain {
                Grain::Hour(_) => target[shop::LATE] += sums[LATE_FOR_HOUR],
                Grain::Window(_) => target[shop::LATE] += sums[LATE_FOR_WINDOW],
                Grain::Lifetime | Grain::Day(_) => {}
            }
            if let Some(places) = target.get_mut(shop::MINUTES + MINUTE.len() * minute.in_window()..) {
                add(places, &[sums[EVENTS], sums[shop::PURCHASES], sums[shop::AMOUNT]]);
            }
        }
    }

    /// Adds to the documents of a country, or of all.
    fn cell(&mut self, topic: Topic, time: i64, country: Option<u16>, live: Live, sums: &Sums) {
        let minute = Minute::from_number(time);
        let window = minute.window();
        let mut counted = |kind, id, late| self.counted((kind, id, country), window.hour(), live, sums, late);
        match topic {
            Topic::Shop => self.shop(minute, country, live, sums),
            Topic::Category(id) => counted(Kind::Category, id, category::LATE),
            Topic::Payment(id) => counted(Kind::Payment, id, usize::MAX),
            Topic::Shipping(id) => counted(Kind::Shipping, id, usize::MAX),
            Topic::Product { product: id, .. } => {
                counted(Kind::Product, id, product::LATE);
                if live.trending() {
                    let products = self.trends.entry(country).or_default();
                    let known = products.entry((id, window.number())).or_default();
                    let deeds = [product::VIEWS, product::ADDED, product::REMOVED, product::ITEMS, product::AMOUNT];
                    add(known, &deeds.map(|place| sums[place]));
                }
            }
        }
    }

    /// Adds to the documents of everything and of the day, and for all countries to that of the hour. `late` is the place
    /// of the events after close, which only hours have.
    fn counted(
        &mut self,
        (kind, id, country): (Kind, u32, Option<u16>),
        hour: Hour,
        live: Live,
        sums: &Sums,
        late: usize,
    ) {
        let used = &sums[..late.min(category::LATE)];
        for grain in [Grain::Lifetime, Grain::Day(hour.day())] {
            add(self.items.entry(Target { kind, id, country, grain }).or_default(), used);
        }
        if country.is_none() && late != usize::MAX && live.hour() {
            let target = Target { kind, id, country, grain: Grain::Hour(hour) };
            add(self.items.entry(target).or_default(), &sums[..=late]);
        }
    }

    fn sessions(&mut self, account: &Account) {
        for ((window, country, live), counters) in &account.counters {
            for country in [Some(*country), None] {
                for grain in grains(Window::from_number(*window), *live) {
                    let sums = &mut self.shop_sums(country, grain)[shop::SESSIONS..shop::LATE];
                    add(sums, counters);
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
