//! Elements of an XML file, with where their texts stand.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use std::ops::Range;

/// What lies deeper is left out.
const MAX_DEPTH: usize = 256;

/// An element.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    /// Its own text.
    pub(super) text: String,
    /// From the end of its start tag to the start of its end tag.
    pub(super) content: Range<usize>,
    pub(super) children: Vec<Self>,
}

impl Element {
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The trimmed text of a child; `None` if it is missing or empty.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        let text = self.child(name)?.text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Where and why a file ends early.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) offset: u64,
}

/// The root element; of a broken file, what came before the break.
pub(super) fn parse(bytes: &[u8]) -> (Option<Element>, Option<Malformed>) {
    let mut reader = Reader::from_reader(bytes);
    // XStream writes control characters as XML 1.1 does; a bare `&` is no reason to stop.
    reader.config_mut().allow_dangling_amp = true;
    let mut open = vec![Element::default()];
    let mut too_deep = 0;
    let malformed = loop {
        let before = position(reader.buffer_position());
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) => break Some(Malformed { offset: reader.error_position() }),
        };
        let after = position(reader.buffer_position());
        match event {
            Event::Start(_) if open.len() > MAX_DEPTH => too_deep += 1,
            Event::Start(start) => {
                let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
                open.push(Element { name, content: after..after, ..Element::default() });
            }
            Event::End(_) if too_deep > 0 => too_deep -= 1,
            Event::End(_) => close(&mut open, before),
            Event::Empty(start) if too_deep == 0 => {
                let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
                let element = Element { name, content: after..after, ..Element::default() };
                if let Some(parent) = open.last_mut() {
                    parent.children.push(element);
                }
            }
            Event::Text(text) if too_deep == 0 => add(&mut open, &String::from_utf8_lossy(&text)),
            Event::CData(text) if too_deep == 0 => add(&mut open, &String::from_utf8_lossy(&text)),
            Event::GeneralRef(reference) if too_deep == 0 => {
                let name = String::from_utf8_lossy(&reference).into_owned();
                let letter = reference.resolve_char_ref().ok().flatten().map(String::from);
                let entity = resolve_predefined_entity(&name).map(str::to_owned);
                add(&mut open, &letter.or(entity).unwrap_or_default());
            }
            Event::Eof => break None,
            _ => {}
        }
    };
    let end = position(reader.buffer_position());
    while open.len() > 1 {
        close(&mut open, end);
    }
    (open.pop().and_then(|mut all| all.children.pop()), malformed)
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn close(open: &mut Vec<Element>, end: usize) {
    if open.len() < 2 {
        return;
    }
    if let (Some(mut element), Some(parent)) = (open.pop(), open.last_mut()) {
        element.content.end = end.max(element.content.start);
        parent.children.push(element);
    }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_know_where_they_stand() {
        let bytes = b"<?xml version='1.1' encoding='UTF-8'?>\n<a><b>x &amp; &#121;</b><c/></a>";
        let (root, malformed) = parse(bytes);
        let root = root.unwrap();
        assert!(malformed.is_none());
        assert_eq!(root.text_of("b").as_deref(), Some("x & y"));
        let content = root.child("b").unwrap().content.clone();
        assert_eq!(bytes.get(content), Some(&b"x &amp; &#121;"[..]));
        assert_eq!(root.child("c").map(|child| child.children.len()), Some(0));
    }

    #[test]
    fn what_comes_before_a_break_is_kept() {
        let (root, malformed) = parse(b"<a><b>1</b><c><d></e></a>");
        assert_eq!(root.and_then(|root| root.text_of("b")).as_deref(), Some("1"));
        assert!(malformed.is_some());
        let deep = "<a>".repeat(5_000);
        assert!(parse(deep.as_bytes()).0.is_some());
    }
}
