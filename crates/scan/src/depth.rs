//! How far decoding goes, layers of encodings and bytes that come out of them, and how
//! far the putting together of lines.

/// Layers of each encoding that are undone, and of all together.
const MAX_BASE64: usize = 3;
const MAX_RESPELLED: usize = 2;
const MAX_LEVEL: usize = 5;
/// Decoded bytes per text that exceed [`FAIR_FACTOR`] times what they were decoded from.
const EXCESS_BYTES: usize = 16 << 20;
/// Layers of base 64 and respellings yield this much together. A line that yields more is
/// never remembered as clean, so that the budget is spent the same with and without memo.
const FAIR_FACTOR: usize = 8;

/// How a text came about.
#[derive(Clone, Copy)]
pub(crate) struct Depth {
    level: usize,
    base64: usize,
    percent: usize,
    json: usize,
}

impl Depth {
    pub(crate) const TOP: Self = Self { level: 0, base64: 0, percent: 0, json: 0 };

    pub(crate) fn is_top(self) -> bool {
        self.level == 0
    }

    /// One layer further in, if it is still undone.
    pub(crate) fn inside(self, encoding: &str) -> Option<Self> {
        let mut deeper = Self { level: self.level + 1, ..self };
        let (count, most) = match encoding {
            "percent" => (&mut deeper.percent, MAX_RESPELLED),
            "json" => (&mut deeper.json, MAX_RESPELLED),
            _ => (&mut deeper.base64, MAX_BASE64),
        };
        *count += 1;
        (*count <= most && deeper.level <= MAX_LEVEL).then_some(deeper)
    }
}

/// What a text may cost by lines that are put together: so much, whatever its length, and so
/// much for each of its bytes. Real logs take a fiftieth of it at most. Lines that cost anything
/// are never remembered as clean.
const FREE_JOINED_BYTES: usize = 2 << 20;
const JOINED_FACTOR: usize = 4;

/// What a text may still cost, with all that it encodes, and where it cost too much.
#[derive(Default)]
pub(crate) struct Budget {
    /// Bytes that decoding may yield beyond its fair share.
    excess: usize,
    /// Bytes of lines put together that may be searched: in lines that all begin tokens and
    /// end none, each letter may begin one that goes on through many lines.
    joined: usize,
    /// Offset of the first part that was not decoded, or not put together with others.
    pub(crate) gap: Option<usize>,
}

impl Budget {
    /// For a text of so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { excess: EXCESS_BYTES, joined: FREE_JOINED_BYTES + JOINED_FACTOR * bytes, gap: None }
    }

    /// All that is left.
    pub(crate) fn left(&self) -> (usize, usize) {
        (self.excess, self.joined)
    }

    /// Whether decoding `from` bytes to `to` is still allowed.
    pub(crate) fn allows(&mut self, from: usize, to: usize, at: usize) -> bool {
        let excess = to.saturating_sub(from.saturating_mul(FAIR_FACTOR));
        let left = self.excess.checked_sub(excess);
        match left {
            Some(left) => self.excess = left,
            None => self.hit(at),
        }
        left.is_some()
    }

    /// Whether what begins at an offset may be put together with other lines.
    pub(crate) fn allows_joins(&mut self, at: usize) -> bool {
        if self.joined == 0 {
            self.hit(at);
        }
        self.joined > 0
    }

    /// So many bytes of lines put together are searched.
    pub(crate) fn join(&mut self, bytes: usize) {
        self.joined = self.joined.saturating_sub(bytes);
    }

    pub(crate) fn hit(&mut self, at: usize) {
        self.gap = Some(self.gap.map_or(at, |gap| gap.min(at)));
    }
}
