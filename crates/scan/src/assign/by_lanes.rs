//! Where an assignment may be, by the lanes of a text: a quick look at every sign.

use super::{QUOTES, lead_before};
use crate::lanes::{self, LANE, Lanes};

/// Signs that may have a secret's name before them and a value behind.
pub(super) fn signs<'t>(text: &'t [u8], lanes: &'t Lanes) -> impl Iterator<Item = usize> + 't {
    let fits = |sign: &usize| may_have_value(text, &lanes.solid, *sign) && may_have_name(text, lanes, *sign);
    bits(&lanes.signs).filter(fits)
}

/// Blanks before options and sentences that may announce a secret.
pub(super) fn spots<'t>(text: &'t [u8], lanes: &'t Lanes) -> impl Iterator<Item = usize> + 't {
    bits(&lanes.spots).filter(|spot| may_have_option(text, lanes, *spot))
}

/// Bytes behind a sign in which its value begins: two of the sign, four blanks, three
/// quotes, or a scheme and a blank.
const REACH: usize = 16;

/// Places of the ones.
fn bits(lanes: &[u64]) -> impl Iterator<Item = usize> {
    lanes.iter().enumerate().flat_map(|(lane, bits)| lanes::ones(*bits).map(move |bit| lane * LANE + bit))
}

/// Whether a part of a secret's name may stand before a sign.
fn may_have_name(text: &[u8], lanes: &Lanes, sign: usize) -> bool {
    ends_name(text, lanes, sign - lead_before(&text[..sign]))
}

/// Whether a name that ends here may hold a part of a secret's.
fn ends_name(text: &[u8], lanes: &Lanes, end: usize) -> bool {
    let Some(names) = &lanes.names else { return true };
    let length = lanes::before(&lanes.words, end).leading_ones() as usize;
    let is_whole = length < LANE && end.checked_sub(length + 1).is_none_or(|at| text[at] != b'.');
    !is_whole || length > 0 && lanes::before(names, end) >> (LANE - length) != 0
}

/// Whether what stands at [`Lanes::spots`] may announce a secret.
fn may_have_option(text: &[u8], lanes: &Lanes, spot: usize) -> bool {
    let Some(names) = &lanes.names else { return true };
    if text.get(spot + 1) != Some(&b'-') {
        return ends_name(text, lanes, spot);
    }
    // The dashes are word characters, too.
    let length = lanes::from(&lanes.words, spot + 1).trailing_ones() as usize;
    let is_whole = length < LANE && text.get(spot + 1 + length) != Some(&b'.');
    let is_login = text.get(spot + 1..).is_some_and(|option| option.starts_with(b"-p "));
    !is_whole || is_login || lanes::from(names, spot + 1) & lanes::low(length) != 0
}

/// Whether a value of enough bytes, or a quoted one, may follow a sign.
fn may_have_value(text: &[u8], solid: &[u64], sign: usize) -> bool {
    let solid = lanes::from(solid, sign + 1);
    let two = solid & solid >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    let near = text.get(sign + 1..text.len().min(sign + 1 + 6)).unwrap_or_default();
    eight & ((1 << REACH) - 1) != 0 || near.iter().any(|byte| QUOTES[usize::from(*byte)])
}
