//! Where an assignment may be, by the lanes of a text: a quick look at every sign.

use super::QUOTES;
use crate::lanes::{self, LANE, Lanes};
use pulp::NullaryFnOnce;

/// Where to look closer.
#[derive(Default)]
pub(crate) struct Marks {
    /// Signs that may have a secret's name before them and a value behind.
    pub(super) signs: Vec<usize>,
    /// Blanks before options and sentences that may announce a secret.
    pub(super) spots: Vec<usize>,
}

impl Marks {
    /// Fills [`Lanes::announcing`], too.
    pub(crate) fn of(text: &[u8], lanes: &mut Lanes) -> Self {
        lanes::compiled_for_processor(Look { text, lanes })
    }
}

/// [`Marks::of`] for [`lanes::compiled_for_processor`].
struct Look<'a> {
    text: &'a [u8],
    lanes: &'a mut Lanes,
}

impl NullaryFnOnce for Look<'_> {
    type Output = Marks;

    #[inline(always)]
    fn call(self) -> Marks {
        let Self { text, lanes } = self;
        let mut marks = Marks::default();
        let mut behind = Behind::default();
        let names = lanes.names.as_deref().unwrap_or(&lanes.words);
        // Where names end that hold a part of a secret's. One thing after another: what all
        // loops ask for together is more than there are registers.
        let ends: Vec<u64> =
            names.iter().zip(&lanes.named).map(|(names, named)| behind.names(*names, *named)).collect();
        lanes.announcing.resize(lanes.signs.len(), 0);
        let after_names = ends.iter().zip(&lanes.soft).map(|(ends, soft)| behind.soft(*ends, *soft));
        for ((announcing, signs), after) in lanes.announcing.iter_mut().zip(&lanes.signs).zip(after_names) {
            *announcing = signs & after;
        }
        for (lane, announcing) in lanes.announcing.iter().enumerate() {
            for bit in lanes::ones(*announcing) {
                let sign = lane * LANE + bit;
                if may_have_value(text, &lanes.solid, sign) {
                    marks.signs.push(sign);
                }
            }
        }
        for spot in lanes::all_ones(&lanes.spots) {
            if may_announce(text, &lanes.named, &ends, spot) {
                marks.spots.push(spot);
            }
        }
        marks
    }
}

/// Whether what stands at [`Lanes::spots`] may announce a secret: `password is`, or
/// `--password`.
#[inline(always)]
fn may_announce(text: &[u8], named: &[u64], ends: &[u64], spot: usize) -> bool {
    let ends_name = |at: usize| lanes::from(ends, at) & 1 != 0;
    let option = &text[spot + 1..];
    match option.first() {
        // The dashes are part of the name, too.
        Some(b'-') => ends_name(lanes::end_of_ones(named, spot + 1)) || option.starts_with(b"-p "),
        _ => ends_name(spot),
    }
}

/// What lanes hand on to the next.
#[derive(Default)]
struct Behind {
    /// Whether a name goes on that holds a part of a secret's.
    name: bool,
    /// Whether so many soft bytes behind one end there, and a byte more.
    soft: [bool; MAX_SOFT],
}

/// Quotes and blanks that may stand between a name and its sign.
const MAX_SOFT: usize = 3;

impl Behind {
    /// Where the names of a lane end that hold one of `parts`.
    #[inline(always)]
    fn names(&mut self, parts: u64, named: u64) -> u64 {
        // Added to the ones of its name, a part carries over to the byte behind it.
        let (sum, over) = named.overflowing_add(parts & named);
        let (sum, over_too) = sum.overflowing_add(u64::from(self.name));
        self.name = over || over_too;
        sum & !named
    }

    /// The same, and up to [`MAX_SOFT`] soft bytes behind them.
    #[inline(always)]
    fn soft(&mut self, mut ends: u64, soft: u64) -> u64 {
        let mut all = ends;
        for carry in &mut self.soft {
            let passed = ends & soft;
            ends = passed << 1 | u64::from(*carry);
            *carry = passed >> (LANE - 1) != 0;
            all |= ends;
        }
        all
    }
}

/// Bytes behind a sign in which its value begins: two of the sign, four blanks, three
/// quotes, or a scheme and a blank.
const REACH: usize = 16;

/// Whether a value of enough bytes, or a quoted one, may follow a sign.
#[inline(always)]
fn may_have_value(text: &[u8], solid: &[u64], sign: usize) -> bool {
    let solid = lanes::from(solid, sign + 1);
    let near = text.get(sign + 1..text.len().min(sign + 1 + 6)).unwrap_or_default();
    lanes::eights(solid) & ((1 << REACH) - 1) != 0 || near.iter().any(|byte| QUOTES[usize::from(*byte)])
}
