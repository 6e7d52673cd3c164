//! The scheduler by itself, one pass after the other, over a model that can be checked.

pub(crate) mod abacus;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use hornbook_inference::{Completion, CompletionRequest, Input};
use hornbook_types::Sampling;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::gguf::GgufFile;
use crate::kernel::{Isa, Team};
use crate::pages::PageBook;
use crate::text::{ChatTemplate, TextTokenizer};

use super::intake::Ready;
use super::scheduler::PROMPT_ROWS_PER_STEP;
use super::{Answer, Common, Figures, Intake, Scheduler, Work};
use abacus::{Abacus, Log};

const CONTEXT_TOKENS: usize = 1_024;

/// A tokenizer of bytes.
pub(crate) fn intake() -> Intake {
    let bytes = include_bytes!("../../tests/fixtures/architectures/llama.gguf").to_vec();
    let file = GgufFile::parse(&bytes).expect("the file parses");
    let tokenizer = TextTokenizer::read(&file.metadata).expect("the tokenizer is known");
    Intake {
        vocabulary: tokenizer.vocabulary(),
        tokenizer: Arc::new(tokenizer),
        chat: ChatTemplate::read(&file.metadata).expect("the template parses"),
        context_tokens: CONTEXT_TOKENS,
        isa: Isa::detect(),
    }
}

/// A prompt of as many tokens as the text has bytes; the answer does not end by itself.
pub(crate) fn request(text: &str, max_tokens: u32, seed: u64) -> CompletionRequest {
    let sampling = Sampling { max_tokens, min_tokens: max_tokens, top_k: 0, ..Sampling::default() };
    CompletionRequest {
        input: Input::Text(text.to_owned()),
        sampling,
        seed,
        logprobs: None,
        cancel: CancellationToken::new(),
    }
}

pub(crate) fn common(intake: &Intake, slots: usize) -> Common {
    Common {
        team: Arc::new(Team::new(2).expect("threads start")),
        tokenizer: Arc::clone(&intake.tokenizer),
        figures: Arc::default(),
        stop: Arc::default(),
        model_name: "abacus".to_owned(),
        slots,
    }
}

/// A scheduler and those who wait for it.
struct Desk {
    scheduler: Scheduler<Abacus>,
    intake: Intake,
    waiting: VecDeque<Ready>,
    figures: Arc<Figures>,
    log: Arc<Mutex<Log>>,
}

impl Desk {
    fn new(slots: usize, pages: usize, shares: bool) -> Self {
        let intake = intake();
        let common = common(&intake, slots);
        let figures = Arc::clone(&common.figures);
        let abacus = Abacus::new(intake.vocabulary);
        let log = Arc::clone(&abacus.log);
        let scheduler = Scheduler::new(abacus, PageBook::new(pages, shares), common);
        Self { scheduler, intake, waiting: VecDeque::new(), figures, log }
    }

    fn submit(&mut self, request: CompletionRequest) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        let queued = self.figures.queued();
        let ready = self.intake.prepare(Work { request, pieces: None, reply, queued });
        self.waiting.extend(ready);
        answer
    }

    fn step(&mut self) {
        self.scheduler.admit(|| self.waiting.pop_front());
        self.scheduler.step().expect("nothing fails");
    }

    /// Passes until nothing is left to do.
    fn finish(&mut self) {
        while !self.scheduler.is_idle() || !self.waiting.is_empty() {
            self.step();
        }
        self.scheduler.admit(|| None);
        let load = self.figures.load();
        assert_eq!((load.running_sequences, load.queued_prompts, load.kv_pages_held), (0, 0, 0));
    }

    fn log(&self) -> Log {
        self.log.lock().expect("no panic").clone()
    }
}

fn answer(mut receiver: oneshot::Receiver<Answer>) -> Completion {
    receiver.try_recv().expect("answered").expect("an answer").0
}

/// What an answer holds that must not depend on others.
fn essence(answer: Completion) -> (String, u64, u64, String) {
    let usage = answer.usage;
    let reason = answer.finish_reason.as_str().to_owned();
    (answer.text, usage.prompt_tokens, usage.completion_tokens, reason)
}

/// Text of that many tokens.
fn text(letter: char, tokens: usize) -> String {
    std::iter::repeat_n(letter, tokens).collect()
}

#[test]
fn a_prefix_that_all_share_is_computed_once() {
    let mut desk = Desk::new(32, 2_048, true);
    let answers: Vec<_> = (0..32)
        .map(|seed| {
            let own = char::from(b'A' + seed as u8);
            desk.submit(request(&(text('x', 512) + &text(own, 20)), 8, seed))
        })
        .collect();
    desk.finish();
    let answers: Vec<Completion> = answers.into_iter().map(answer).collect();
    let log = desk.log();
    // A prompt's last row gives the first of its eight tokens, and the eighth is not fed.
    assert_eq!(log.rows.iter().sum::<usize>(), 512 + 32 * 20 + 32 * 7);
    assert_eq!(answers[0].usage.cached_tokens, 0);
    assert!(answers[1..].iter().all(|answer| answer.usage.cached_tokens == 512));
    let load = desk.figures.load();
    assert_eq!((load.prompt_tokens, load.cached_tokens), (32 * 532, 31 * 512));
    assert_eq!((load.completion_tokens, load.passes), (32 * 8, log.rows.len() as u64));
    assert_eq!(load.rows, log.rows.iter().sum::<usize>() as u64);
    println!("{} passes of {:?} rows", log.rows.len(), log.rows);
}

#[test]
fn passes_are_bounded_and_neither_prompts_nor_answers_wait() {
    let mut desk = Desk::new(8, 1_000, true);
    let prompts = ["one", "two", "3", "four"];
    let writing = prompts.map(|prompt| desk.submit(request(prompt, 60, 1)));
    desk.step();
    let long: Vec<_> = ('a'..='l')
        .map(|letter| desk.submit(request(&text(letter, 700), 2, u64::from(letter))))
        .collect();
    for _ in 1..60 {
        desk.step();
    }
    // Sixty tokens in sixty passes, though prompts came all the time: 12 x 700 rows are more than
    // sixty steps take.
    writing.into_iter().for_each(|writing| drop(answer(writing)));
    let log = desk.log();
    assert!(log.rows.iter().all(|rows| *rows <= PROMPT_ROWS_PER_STEP + 8), "{:?}", log.rows);
    assert!(log.rows[1..].iter().all(|rows| *rows >= PROMPT_ROWS_PER_STEP), "{:?}", log.rows);
    desk.finish();
    long.into_iter().for_each(|long| drop(answer(long)));
}

#[test]
fn a_large_prompt_is_not_overtaken() {
    let mut desk = Desk::new(8, 40, true);
    // Twenty of the forty pages, for 21 passes.
    let first = desk.submit(request(&text('a', 300), 20, 1));
    let large = desk.submit(request(&text('b', 400), 1, 2));
    let mut small = desk.submit(request("c", 1, 3));
    while desk.figures.load().prompt_tokens < 700 {
        assert!(small.try_recv().is_err(), "it came later");
        desk.step();
    }
    desk.finish();
    for prompt in [first, large, small] {
        answer(prompt);
    }
}

#[test]
fn a_follower_takes_over_from_one_who_gives_up() {
    let prompt = text('a', 400) + "b";
    let mut alone = Desk::new(4, 400, true);
    let expected = alone.submit(request(&prompt, 5, 7));
    alone.finish();
    let expected = essence(answer(expected));
    for passes in 0..5 {
        let mut desk = Desk::new(4, 400, true);
        let first = request(&text('a', 405), 5, 1);
        let cancel = first.cancel.clone();
        let mut first = desk.submit(first);
        let follower = desk.submit(request(&prompt, 5, 7));
        (0..passes).for_each(|_| desk.step());
        cancel.cancel();
        desk.finish();
        first.try_recv().expect("answered").expect_err("given up");
        assert_eq!(essence(answer(follower)), expected, "given up after {passes} passes");
        let rows: usize = desk.log().rows.iter().sum();
        let rows_of_first = if passes == 4 { 5 + 1 } else { 0 };
        assert!(rows <= 401 + 4 + rows_of_first, "{rows} rows after {passes} passes");
    }
}

#[test]
fn who_waits_for_room_can_give_up() {
    let mut desk = Desk::new(4, 20, true);
    let first = desk.submit(request(&text('a', 200), 50, 1));
    let large = request(&text('b', 200), 50, 2);
    let cancel = large.cancel.clone();
    let mut large = desk.submit(large);
    let small = desk.submit(request("c", 2, 3));
    desk.step();
    assert_eq!(desk.figures.load().queued_prompts, 2);
    cancel.cancel();
    desk.step();
    large.try_recv().expect("answered").expect_err("given up");
    desk.step();
    answer(small);
    drop(first);
    desk.finish();
    assert!(desk.log().rows.len() < 10, "nobody reads the first one's answer");
}

#[test]
fn answers_do_not_depend_on_company_pages_or_sharing() {
    let stems = [text('a', 90), text('a', 40) + &text('b', 60), text('c', 23)];
    let requests: Vec<CompletionRequest> = (0..64_u64)
        .map(|number| {
            let stem = &stems[number as usize % 3][..(number as usize * 13 % 100).clamp(1, 23)];
            let stem = if number % 4 == 0 { stem } else { &stems[number as usize % 3] };
            let own = char::from(b'A' + (number / 7) as u8);
            let mut request = request(
                &(stem.to_owned() + &text(own, number as usize * 5 % 37)),
                1 + (number * 11 % 50) as u32,
                number,
            );
            if number % 5 == 0 {
                request.sampling.temperature = 0.0;
            }
            request
        })
        .collect();
    let mut expected = Vec::new();
    for (slots, pages, shares, at_once) in [
        (1, 64, false, 1),
        (1, 64, true, 1),
        (64, 1_000, true, 64),
        (64, 1_000, false, 64),
        (17, 30, true, 64),
        (3, 12, true, 5),
        (64, 64, true, 17),
    ] {
        let mut desk = Desk::new(slots, pages, shares);
        let mut answers = Vec::new();
        for requests in requests.chunks(at_once) {
            let waiting: Vec<_> =
                requests.iter().map(|request| desk.submit(request.clone())).collect();
            desk.finish();
            answers.extend(waiting.into_iter().map(|waiting| essence(answer(waiting))));
        }
        if expected.is_empty() {
            expected.clone_from(&answers);
        }
        assert_eq!(answers, expected, "{slots} slots, {pages} pages");
        assert_eq!(desk.log().copies > 0, shares);
    }
}
