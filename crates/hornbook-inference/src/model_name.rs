//! Whether an answer came from the model that was asked for.

/// Names that some servers want in the place of a model's, and that say nothing of it.
const STAND_INS: [&str; 3] = ["tgi", "default", "auto"];

/// True when the name of the model that answered has nothing to do with the one asked for.
///
/// Names differ for good reasons: a date (`gpt-4o-2024-08-06` for `gpt-4o`), an owner or a path in
/// front, `:latest` or `.gguf` behind. So two names count as one where either holds the other's
/// last part, letter case and punctuation aside.
pub fn is_other_model(asked: &str, answered: &str) -> bool {
    let (asked, answered) = (core(asked), core(answered));
    let says_nothing = |name: &str| name.is_empty() || STAND_INS.contains(&name);
    if says_nothing(&asked) || says_nothing(&answered) {
        return false;
    }
    !(asked.contains(&answered) || answered.contains(&asked))
}

/// The last part of a name, without its tag, its file ending and its punctuation.
fn core(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let last = last.split(':').next().unwrap_or(last);
    let last = last.strip_suffix(".gguf").unwrap_or(last);
    last.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::is_other_model;

    #[test]
    fn names_of_one_model_are_one() {
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-2024-08-06"),
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
            ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b-instruct"),
            ("deepseek-ai/DeepSeek-V3:fireworks-ai", "accounts/fireworks/models/deepseek-v3"),
            ("llama3", "llama3:latest"),
            ("SmolLM2-135M-Instruct-Q8_0", "/models/SmolLM2-135M-Instruct-Q8_0.gguf"),
            ("tgi", "HuggingFaceH4/zephyr-7b-beta"),
            ("m", ""),
        ] {
            assert!(!is_other_model(asked, answered), "{asked} {answered}");
        }
        for (asked, answered) in [
            ("gpt-4o", "gpt-3.5-turbo-0125"),
            ("claude-opus-4", "claude-haiku-4-5"),
            ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-72B-Instruct"),
        ] {
            assert!(is_other_model(asked, answered), "{asked} {answered}");
        }
    }
}
