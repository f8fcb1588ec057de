//! Which documents of a stretch of time still take something in.

use crate::document::counting::expires_ms;
use crate::document::trending::is_eligible;
use crate::document::{DocumentRules, Grain, Window};

const HOUR: u8 = 1;
const WINDOW: u8 = 2;
const TRENDING: u8 = 4;

/// Which do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Live(u8);

impl Live {
    /// Whether those of the hour do.
    pub const fn hour(self) -> bool {
        self.0 & HOUR != 0
    }

    /// Whether those of the window do.
    pub const fn window(self) -> bool {
        self.0 & WINDOW != 0
    }

    /// Whether the window may be among the latest of a leaderboard.
    pub const fn trending(self) -> bool {
        self.0 & TRENDING != 0
    }
}

/// Which do at this stream time, in milliseconds: those that have not expired by then.
pub fn live_at(window: Window, stream_time: i64, rules: &DocumentRules) -> Live {
    let lasts = |grain: Grain| expires_ms(grain, rules).is_none_or(|expires| stream_time < expires);
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    Live(
        bit(lasts(Grain::Hour(window.hour())), HOUR)
            | bit(lasts(Grain::Window(window)), WINDOW)
            | bit(is_eligible(window, stream_time), TRENDING),
    )
}
