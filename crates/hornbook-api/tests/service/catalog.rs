//! Audiences and templates: immutable versions, tried before they are stored.

use serde_json::json;

use crate::app::TestApp;
use crate::fixtures::{audience, catalog, template};

#[tokio::test]
async fn a_version_is_replaced_only_by_who_knows_it() {
    let app = TestApp::new().await;
    let put = async |headers: &[(&str, &str)], title: &str| {
        app.json_with("PUT", "/v1/audiences/kids", headers, &audience(title)).await
    };
    put(&[("if-match", "*")], "One").await.problem(412, "precondition_failed");
    let first = put(&[], "One").await;
    let view = first.expect(201);
    assert_eq!((view["version"].as_u64(), &view["reference"]), (Some(1), &json!("kids@1")));
    assert_eq!(first.header("location"), "/v1/audiences/kids@1");
    let tag = first.header("etag").to_owned();
    put(&[], "Two").await.problem(428, "precondition_required");
    put(&[("if-match", "\"kids@7\"")], "Two").await.problem(412, "precondition_failed");
    put(&[("if-none-match", "*")], "Two").await.problem(412, "precondition_failed");
    let second = put(&[("if-match", &tag)], "Two").await;
    assert_eq!(second.expect(201)["version"], 2);
    let stale = put(&[("if-match", &tag)], "Three").await;
    stale.problem(412, "precondition_failed");
    assert_eq!(stale.header("etag"), second.header("etag"));
    let same = put(&[("if-match", second.header("etag"))], "Two").await;
    assert_eq!(same.expect(200)["version"], 2);

    assert_eq!(app.get("/v1/audiences/kids").await.expect(200)["title"], "Two");
    assert_eq!(app.get("/v1/audiences/kids@1").await.expect(200)["title"], "One");
    app.get("/v1/audiences/kids@3").await.problem(404, "not_found");
    let known = [("if-none-match", second.header("etag"))];
    let reply = app.get_with("/v1/audiences/kids", &known).await;
    reply.expect(304);
    assert_eq!(reply.header("etag"), second.header("etag"));
    app.get_with("/v1/audiences/kids@1", &known).await.expect(200);
}

#[tokio::test]
async fn an_audience_must_make_sense() {
    let app = TestApp::new().await;
    let mut bad = audience("");
    bad["tokens"] = json!({"min": 5, "max": 2});
    let problem = app.json("PUT", "/v1/audiences/kids", &bad).await.problem(422, "invalid");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["pointer"].as_str())
        .collect();
    assert_eq!(pointers, ["/title", "/tokens"]);
}

#[tokio::test]
async fn lists_go_by_pages() {
    let app = TestApp::new().await;
    for name in ["b", "a", "d", "c", "e"] {
        let mut spec = audience(name);
        spec["rank"] = if name == "d" { json!(0) } else { json!(null) };
        app.json("PUT", &format!("/v1/audiences/{name}"), &spec).await.expect(201);
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/audiences?limit=2".to_owned());
    loop {
        let page = app.get(&path).await.expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 2);
        seen.extend(data.iter().map(|item| item["slug"].as_str().unwrap().to_owned()));
        // Rows that arrive meanwhile on pages already read change nothing of the rest.
        app.json("PUT", "/v1/audiences/aa", &audience("late")).await;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/audiences?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    seen.retain(|name| name != "aa");
    assert_eq!(seen, ["d", "a", "b", "c", "e"]);
    let page = app.get("/v1/audiences").await;
    app.get_with("/v1/audiences", &[("if-none-match", page.header("etag"))]).await.expect(304);
}

#[tokio::test]
async fn a_template_is_tried_before_it_is_stored() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let put = async |body: &str| app.json("PUT", "/v1/templates/new", &template(body)).await;
    let problem = put("one\ntwo {{ seed. }}").await.problem(422, "invalid_template");
    assert_eq!(problem["line"], 2, "{problem}");
    assert!(problem["column"].as_u64().unwrap() > 4, "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/body");
    put("{% include \"x\" %}").await.problem(422, "invalid_template");
    let problem = put("a\nb\n{{ audience.nothing }}").await.problem(422, "render_failed");
    assert_eq!(problem["line"], 3, "{problem}");
    put("  ").await.problem(422, "invalid");
    app.get("/v1/templates/new").await.problem(404, "not_found");

    // What kind of value a field holds, only its seeds know.
    let body = "{{ seed.topic }}{% for part in seed.outline %}{{ part }}{% endfor %}\
                {% if seed.level > 3 %}hard{% endif %}{% if seed.note %}{{ seed.note }}{% endif %}";
    let view = put(body).await.expect(201);
    assert_eq!(view["seed_fields"]["required"], json!(["level", "outline", "topic"]));
    assert_eq!(view["seed_fields"]["optional"], json!(["note"]));
    assert!(view["warnings"].is_array());
    assert_eq!((&view["output"], &view["format"]), (&json!("text"), &json!("story")));
}

#[tokio::test]
async fn templates_have_versions_that_can_be_compared() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let newer = json!({"format": "tale", "body": "Tell {{ audience.reader }} of {{ seed.topic }}.\nGently."});
    app.json_with("PUT", "/v1/templates/story", &[("if-match", "\"story@1\"")], &newer)
        .await
        .expect(201);
    let versions = app.get("/v1/templates/story/versions?limit=1").await.expect(200);
    assert_eq!(versions["data"][0]["version"], 2);
    let cursor = versions["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/v1/templates/story/versions?cursor={cursor}")).await.expect(200);
    assert_eq!((&rest["data"][0]["version"], &rest["next_cursor"]), (&json!(1), &json!(null)));

    let diff = app.get("/v1/templates/story/diff?from=1").await.expect(200);
    assert_eq!((&diff["from"], &diff["to"]), (&json!("story@1"), &json!("story@2")));
    assert_eq!(diff["fields"], json!([{"field": "format", "from": "story", "to": "tale"}]));
    assert_eq!(diff["body"][1], json!({"change": "added", "line": "Gently."}));
    app.get("/v1/templates/story/diff?from=1&to=9").await.problem(404, "not_found");
    app.get("/v1/templates/story/diff").await.problem(400, "invalid_query");

    let names = async |query: &str| {
        let page = app.get(&format!("/v1/templates?{query}")).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    assert_eq!(names("format=tale").await, 1);
    assert_eq!(names("format=story").await, 0);
    assert_eq!(names("q=GENTLY").await, 1);
    assert_eq!(names("q=absent").await, 0);
    assert_eq!(names("audience=toddler").await, 1);
    assert_eq!(names("audience=nobody").await, 0);
}

#[tokio::test]
async fn a_template_can_be_looked_at_before_it_is_used() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let render =
        async |body: serde_json::Value| app.json("POST", "/v1/templates/story/render", &body).await;
    let seen = render(json!({"audience": "toddler", "seed": {"topic": "rain"}})).await.expect(200);
    assert_eq!(seen["prompt"], "Tell children aged 11 to 14 of rain.");
    assert!(seen["tokens_estimate"].as_u64().unwrap() > 5);
    let seen = render(json!({"audience": "toddler@1", "seed_set": "topics", "seq": 2})).await;
    assert_eq!(seen.expect(200)["prompt"], "Tell children aged 11 to 14 of bread.");
    let unsaved = json!({"audience": "toddler", "seed": {}, "body": "Say {{ audience.title }}"});
    assert_eq!(render(unsaved.clone()).await.expect(200)["prompt"], "Say Toddler");
    let elsewhere = app.json("POST", "/v1/templates/not-there/render", &unsaved).await;
    elsewhere.expect(200);

    // A seed is data: it is never read as a template.
    let hostile = json!({"audience": "toddler", "seed": {"topic": "{{ audience.title }}"}});
    let prompt = render(hostile).await.expect(200)["prompt"].clone();
    assert_eq!(prompt, "Tell children aged 11 to 14 of {{ audience.title }}.");

    let problem =
        render(json!({"audience": "toddler", "seed": {}})).await.problem(422, "render_failed");
    assert!(problem["detail"].as_str().unwrap().contains("seed.topic"), "{problem}");
    let pointer = async |body| {
        let problem = render(body).await.problem(422, "invalid");
        problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
    };
    assert_eq!(pointer(json!({"audience": "nobody", "seed": {}})).await, "/audience");
    assert_eq!(pointer(json!({"audience": "toddler"})).await, "/seed");
    assert_eq!(pointer(json!({"audience": "toddler", "seed_set": "x"})).await, "/seed_set");
    assert_eq!(
        pointer(json!({"audience": "toddler", "seed_set": "topics", "seq": 3})).await,
        "/seq"
    );
    let both = json!({"audience": "toddler", "seed": {}, "seed_set": "topics"});
    assert_eq!(pointer(both).await, "/seed_set");
    app.json("POST", "/v1/templates/absent/render", &json!({"audience": "toddler", "seed": {}}))
        .await
        .problem(404, "not_found");
}
