//! One JSON array of objects, read element by element.

use std::io::{self, BufRead};

use hornbook_types::limits::SEED_BYTES;
use serde_json::{Map, Value};

use crate::object::parse_object;
use crate::{RecordError, RecordFault};

/// Cuts a JSON array into its elements without holding more than one of them.
///
/// The cutting looks only at brackets and strings; each element is then parsed as a
/// whole, so whatever is wrong inside it is found by the parser.
pub(crate) struct JsonArray<R> {
    input: R,
    line: u64,
    record: u64,
    place: Place,
    element: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    First,
    AfterElement,
    End,
}

impl<R: BufRead> JsonArray<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: 1, record: 0, place: Place::Start, element: Vec::new() }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(available) => return Ok(available.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn bump(&mut self, byte: u8) {
        self.input.consume(1);
        if byte == b'\n' {
            self.line += 1;
        }
    }

    /// The next byte that is not white space, left unread.
    fn peek_token(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(Some(byte));
            }
            self.bump(byte);
        }
        Ok(None)
    }

    /// Moves to the start of the next element; false after the closing bracket.
    fn advance(&mut self) -> Result<bool, RecordFault> {
        if self.place == Place::Start {
            for byte in *b"\xef\xbb\xbf" {
                if self.peek()? == Some(byte) {
                    self.bump(byte);
                }
            }
            if self.peek_token()? != Some(b'[') {
                return Err(RecordFault::Json("expected a JSON array of objects".to_owned()));
            }
            self.bump(b'[');
            self.place = Place::First;
        }
        match (self.place, self.peek_token()?) {
            (Place::End, None) => return Ok(false),
            (Place::End, Some(_)) => {
                return Err(RecordFault::Json("something follows the JSON array".to_owned()));
            }
            (_, None) => return Err(RecordFault::Json("the JSON array is not closed".to_owned())),
            (Place::First | Place::AfterElement, Some(b']')) => {
                self.bump(b']');
                self.place = Place::End;
                return self.advance();
            }
            (Place::AfterElement, Some(b',')) => {
                self.bump(b',');
                match self.peek_token()? {
                    Some(b']' | b',') | None => {
                        return Err(RecordFault::Json("expected a JSON object after ','".into()));
                    }
                    Some(_) => {}
                }
            }
            (Place::AfterElement, Some(_)) => {
                return Err(RecordFault::Json("expected ',' or ']' after a record".to_owned()));
            }
            (Place::First, Some(b',')) => {
                return Err(RecordFault::Json("expected a JSON object".to_owned()));
            }
            (Place::Start | Place::First, Some(_)) => {}
        }
        self.place = Place::AfterElement;
        Ok(true)
    }

    /// Reads one element into the buffer, up to the comma or bracket that ends it.
    fn read_element(&mut self) -> Result<(), RecordFault> {
        self.element.clear();
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        loop {
            let Some(byte) = self.peek()? else {
                return Err(RecordFault::Json("the JSON array is not closed".to_owned()));
            };
            if in_string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_string = false,
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => in_string = true,
                    b'{' | b'[' => depth += 1,
                    b',' | b']' if depth == 0 => return Ok(()),
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            if self.element.len() >= SEED_BYTES {
                return Err(RecordFault::TooLarge);
            }
            self.element.push(byte);
            self.bump(byte);
        }
    }
}

impl<R: BufRead> Iterator for JsonArray<R> {
    type Item = Result<Map<String, Value>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let fail = |this: &Self, line: u64, fault| {
            Some(Err(RecordError { record: this.record, line: Some(line), fault }))
        };
        match self.advance() {
            Ok(false) => return None,
            Ok(true) => self.record += 1,
            Err(fault) => return fail(self, self.line, fault),
        }
        let first_line = self.line;
        if let Err(fault) = self.read_element() {
            return fail(self, first_line, fault);
        }
        match parse_object(&self.element) {
            Ok(record) => Some(Ok(record)),
            Err((line, fault)) => fail(self, first_line + line - 1, fault),
        }
    }
}
