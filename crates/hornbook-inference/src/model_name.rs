//! Whether an answer came from the model that was asked for.

/// Names that some servers want in the place of a model's, and that say nothing of it.
const STAND_INS: [&str; 3] = ["tgi", "default", "auto"];
/// What stands behind a name without making it another model's.
const LABELS: [&str; 5] = ["latest", "preview", "exp", "gguf", "hf"];
/// How a model's weights are stored, and what may follow on that.
const WEIGHTS: [&str; 12] =
    ["f16", "fp16", "f32", "fp32", "bf16", "fp8", "mxfp4", "nvfp4", "awq", "gptq", "int4", "int8"];
/// Fewest digits of a date or a build: `claude-opus-4-1` is no `claude-opus-4`.
const BUILD_DIGITS: usize = 2;

/// True when the name of the model that answered is another's than the one asked for.
///
/// Names differ for good reasons: a date or a build (`gpt-4o-2024-08-06` for `gpt-4o`), an owner, a
/// path or a vendor in front, `:latest`, `.gguf` or a kind of weights behind. Apart from those, from
/// letter case and from punctuation, two names count as one only where they are the same.
pub fn is_other_model(asked: &str, answered: &str) -> bool {
    let (asked, answered) = (Name::of(asked), Name::of(answered));
    let says_nothing = |name: &Name| {
        let base = name.base.as_str();
        base.is_empty() || STAND_INS.contains(&base)
    };
    if says_nothing(&asked) || says_nothing(&answered) {
        return false;
    }
    let differ = |one: &str, other: &str| !one.is_empty() && !other.is_empty() && one != other;
    let is_same = asked.whole == answered.whole
        || (asked.base == answered.base && !differ(&asked.build, &answered.build));
    !is_same || differ(&asked.tag, &answered.tag)
}

/// A name, taken apart.
#[derive(Debug)]
struct Name {
    /// All of the last part but its tag, without punctuation.
    whole: String,
    /// The same without build and labels.
    base: String,
    /// Digits of a date or a build.
    build: String,
    /// What stands behind a colon.
    tag: String,
}

impl Name {
    fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let name = name.split('#').next().unwrap_or_default();
        let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let (last, tag) = last.split_once(':').unwrap_or((last, ""));
        let last = without_vendor(last.strip_suffix(".gguf").unwrap_or(last));
        let parts: Vec<&str> =
            last.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
        let parts = parts.strip_prefix(&["meta"]).unwrap_or(&parts);
        let weights = parts.iter().skip(1).position(|part| is_weights(part));
        let named = &parts[..weights.map_or(parts.len(), |at| at + 1)];
        let (base, build) = cut_build(named);
        Self {
            whole: parts.concat(),
            base: base.concat(),
            build,
            tag: if tag == "latest" { String::new() } else { tag.to_owned() },
        }
    }
}

/// `anthropic.claude-3` is `claude-3`; the dot in `gpt-3.5` is a number's.
fn without_vendor(name: &str) -> &str {
    let mut name = name;
    while let Some((vendor, rest)) = name.split_once('.')
        && vendor.chars().all(|c| c.is_ascii_alphabetic())
        && rest.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        name = rest;
    }
    name
}

/// `q4`, `iq2` and their like begin a kind of weights, as in `Q4_K_M`.
fn is_weights(part: &str) -> bool {
    let bits = part.strip_prefix("iq").or_else(|| part.strip_prefix('q'));
    bits.is_some_and(|bits| bits.len() == 1 && is_number(bits)) || WEIGHTS.contains(&part)
}

fn is_number(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_digit())
}

/// Cuts labels and the digits of a date or a build off the end; something is always left.
fn cut_build<'a>(parts: &'a [&'a str]) -> (&'a [&'a str], String) {
    let is_label = |part: &str| LABELS.contains(&part);
    // The revision behind a date: `20241022-v2`.
    let parts = match parts {
        [rest @ .., date, revision]
            if is_number(date)
                && date.len() >= 6
                && revision.strip_prefix('v').is_some_and(is_number) =>
        {
            &parts[..rest.len() + 1]
        }
        _ => parts,
    };
    let mut from = parts.len();
    while from > 1 && (is_label(parts[from - 1]) || is_number(parts[from - 1])) {
        from -= 1;
    }
    // A single digit belongs to the name.
    while from < parts.len() && is_number(parts[from]) && parts[from].len() < BUILD_DIGITS {
        from += 1;
    }
    let build = parts[from..].iter().filter(|part| is_number(part)).copied().collect();
    (&parts[..from], build)
}

#[cfg(test)]
mod tests {
    use super::is_other_model;

    #[test]
    fn names_of_one_model_are_one() {
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-2024-08-06"),
            ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
            ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
            ("gpt-4", "gpt-4-0613"),
            ("o1", "o1-2024-12-17"),
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
            ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
            ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
            ("gemini-1.5-flash", "models/gemini-1.5-flash-002"),
            ("gemini-2.5-pro", "gemini-2.5-pro-preview-05-06"),
            ("mistral-large-latest", "mistral-large-2411"),
            ("command-r-plus", "command-r-plus-08-2024"),
            ("grok-2", "grok-2-1212"),
            ("openai/gpt-oss-120b", "gpt-oss-120b"),
            ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b-instruct"),
            ("meta-llama/Meta-Llama-3.1-8B-Instruct", "Llama-3.1-8B-Instruct"),
            ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct-AWQ"),
            ("deepseek-ai/DeepSeek-V3:fireworks-ai", "accounts/fireworks/models/deepseek-v3"),
            ("deepseek/deepseek-r1:free", "deepseek/deepseek-r1"),
            ("llama3", "llama3:latest"),
            ("llama3:8b", "llama3:8b"),
            ("SmolLM2-135M-Instruct-Q8_0", "/models/SmolLM2-135M-Instruct-Q8_0.gguf"),
            ("SmolLM2-135M-Instruct", "C:\\models\\SmolLM2-135M-Instruct-Q4_K_M.gguf"),
            ("tgi", "HuggingFaceH4/zephyr-7b-beta"),
            ("m", ""),
            ("m", "m-2024"),
        ] {
            assert!(!is_other_model(asked, answered), "{asked} {answered}");
            assert!(!is_other_model(answered, asked), "{answered} {asked}");
        }
    }

    #[test]
    fn names_of_two_models_are_two() {
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-mini"),
            ("gpt-4o", "gpt-4o-mini-2024-07-18"),
            ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13"),
            ("gpt-4", "gpt-4-32k-0613"),
            ("gpt-4", "gpt-4-turbo-2024-04-09"),
            ("gpt-4o", "gpt-3.5-turbo-0125"),
            ("o1", "o1-mini-2024-09-12"),
            ("claude-opus-4", "claude-haiku-4-5"),
            ("claude-opus-4", "claude-opus-4-1-20250805"),
            ("gemini-1.5-flash", "gemini-1.5-flash-8b"),
            ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-72B-Instruct"),
            ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B"),
            ("deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V2"),
            ("llama3:8b", "llama3:70b"),
        ] {
            assert!(is_other_model(asked, answered), "{asked} {answered}");
            assert!(is_other_model(answered, asked), "{answered} {asked}");
        }
    }
}
