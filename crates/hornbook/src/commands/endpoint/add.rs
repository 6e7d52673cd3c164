//! `hornbook endpoint add`: add or change an endpoint.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::cli::Endpoint;
use crate::client::{Client, segment};
use crate::exit::{Context as _, Failure, Outcome};
use crate::output::{self, text};

/// Stores the endpoint; its key is read from a file and never shown.
pub(crate) async fn run(client: &Client, command: Endpoint, as_json: bool) -> Outcome {
    let Endpoint::Add {
        name,
        preset,
        kind,
        base_url,
        model,
        api_key_file,
        in_flight,
        requests_per_minute,
        tokens_per_minute,
        option,
    } = command
    else {
        return Err(Failure::usage("not an endpoint to add"));
    };
    let mut limits = json!({});
    for (field, limit) in [
        ("in_flight", in_flight),
        ("requests_per_minute", requests_per_minute),
        ("tokens_per_minute", tokens_per_minute),
    ] {
        if let Some(limit) = limit {
            limits[field] = limit.into();
        }
    }
    let kind = kind.or_else(|| preset.is_none().then(|| "openai".to_owned()));
    let mut spec = json!({ "model": model, "limits": limits });
    for (field, value) in [("kind", kind), ("preset", preset), ("base_url", base_url)] {
        if let Some(value) = value {
            spec[field] = value.into();
        }
    }
    let options: Map<String, Value> =
        option.iter().map(|option| self::option(option)).collect::<Result<_, _>>()?;
    if !options.is_empty() {
        spec["options"] = options.into();
    }
    if let Some(file) = api_key_file {
        let key = std::fs::read_to_string(&file)
            .map_err(|error| Failure::usage(format!("reading {}: {error}", file.display())))?;
        spec["api_key"] = key.trim().into();
    }
    let request =
        client.request(Method::PUT, &format!("/v1/endpoints/{}", segment(&name)))?.json(&spec);
    let stored: Value = client.send(request).await?.json().await.context("reading the answer")?;
    if as_json {
        return output::json(&stored);
    }
    output::line(&format!("{}  {}", text(&stored, "/name"), text(&stored, "/state")))
}

/// `NAME=VALUE`, where the value is JSON; what is no JSON is a text.
fn option(text: &str) -> Result<(String, Value), Failure> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(Failure::usage(format!("an option is NAME=VALUE, not '{text}'")));
    };
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_json_or_text() {
        let read = |text| option(text).unwrap();
        assert_eq!(read("extra_sampling=true"), ("extra_sampling".to_owned(), json!(true)));
        assert_eq!(read("reasoning_effort=low"), ("reasoning_effort".to_owned(), json!("low")));
        assert_eq!(read("bias={\"a\": 1}"), ("bias".to_owned(), json!({"a": 1})));
        assert_eq!(read("empty="), ("empty".to_owned(), json!("")));
        for bad in ["extra_sampling", "=1", ""] {
            assert!(option(bad).is_err(), "{bad}");
        }
    }
}
