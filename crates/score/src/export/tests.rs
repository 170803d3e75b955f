use super::*;

fn edge(source: &str, target: &str, kind: &str, cost: i64) -> ReachEdge {
    let node_kind = |label: &str| if label.starts_with("arn") { "identity" } else { "job" }.to_owned();
    ReachEdge {
        source: source.to_owned(),
        source_kind: node_kind(source),
        target: target.to_owned(),
        target_kind: node_kind(target),
        kind: kind.to_owned(),
        cost,
        observed: cost == 0,
        ..ReachEdge::default()
    }
}

fn rows() -> Vec<ReachEdge> {
    vec![
        edge("o/r ci / build", "o/r cd / deploy", "handoff", 2),
        edge("o/r cd / deploy", "arn:aws:iam::111122223333:role/a-very-long-name-of-a-role", "runs_as", 0),
        edge("o/r cd / deploy", "arn:aws:iam::111122223333:role/a-very-long-name-of-a-role", "trust", 1),
        edge("o/r cd / \"x\" <&>", "o/r ci / build", "handoff", 0),
        edge("o/r far / away", "o/r cd / \"x\" <&>", "handoff", 0),
    ]
}

#[test]
fn a_neighbourhood_ends_after_its_steps_and_a_path_takes_the_cheapest_edges() {
    let around = Neighbourhood::around(&rows(), "o/r ci / build", 1, 100);
    assert_eq!((around.nodes.len(), around.edges.len()), (3, 2));
    assert_eq!(Neighbourhood::around(&rows(), "o/r ci / build", 2, 100).nodes.len(), 5);
    assert_eq!(Neighbourhood::around(&rows(), "o/r ci / build", 9, 2).nodes.len(), 2);
    assert_eq!(Neighbourhood::around(&rows(), "nobody", 2, 9), Neighbourhood::default());
    let start = ["o/r ci / build".to_owned()];
    let through = Neighbourhood::through(&rows(), &start, 9, 100);
    let leads = |part: &Neighbourhood| part.nodes.iter().map(|node| node.0.clone()).collect::<Vec<_>>();
    assert!(leads(&through).contains(&start[0]) && through.nodes.len() >= around.nodes.len());
    assert!(svg_about(&through, &start).matches("stroke-width=\"2.5\"").count() == 1);
    // A way round is longer than the direct one and is not drawn.
    let round = [edge("a", "b", "x", 0), edge("b", "c", "x", 0), edge("a", "c", "x", 0)];
    assert_eq!(Neighbourhood::through(&round, &["a".to_owned()], 2, 9).edges.len(), 2);
    assert_eq!(Neighbourhood::through(&rows(), &start, 9, 2).nodes.len(), 2);
    assert_eq!(Neighbourhood::through(&rows(), &["nobody".to_owned()], 2, 9), Neighbourhood::default());
    let path =
        ["o/r ci / build", "o/r cd / deploy", "arn:aws:iam::111122223333:role/a-very-long-name-of-a-role"];
    let along = Neighbourhood::along(&rows(), &path.map(str::to_owned));
    assert_eq!(
        along.edges.iter().map(|edge| edge.kind.as_str()).collect::<BTreeSet<_>>(),
        BTreeSet::from(["handoff", "runs_as"])
    );
}

#[test]
fn order_of_rows_leaves_no_trace() {
    let mut backward = rows();
    backward.reverse();
    assert_eq!(Neighbourhood::of(&rows()), Neighbourhood::of(&backward));
    assert_eq!(svg(&Neighbourhood::of(&rows())), svg(&Neighbourhood::of(&backward)));
}

#[test]
fn quotes_and_angle_brackets_stay_text() {
    let part = Neighbourhood::of(&rows());
    assert!(dot(&part).contains("label=\"o/r cd / \\\"x\\\" <&>\""));
    assert!(dot(&part).contains("[label=\"handoff +2\", style=dashed]"));
    for text in [graphml(&part), svg(&part)] {
        assert!(text.contains("&quot;x&quot; &lt;&amp;&gt;") && !text.contains("<&>"));
    }
    assert_eq!(graphml(&part).matches("<edge ").count(), 5);
}

#[test]
fn opengraph_has_what_its_documentation_asks_for() {
    let file: serde_json::Value = serde_json::from_str(&opengraph(&Neighbourhood::of(&rows()))).unwrap();
    let nodes = file["graph"]["nodes"].as_array().unwrap();
    let ids: BTreeSet<&str> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 5);
    for node in nodes {
        let kinds = node["kinds"].as_array().unwrap();
        assert!((1..=3).contains(&kinds.len()));
    }
    let edges = file["graph"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 5);
    for edge in edges {
        let kind = edge["kind"].as_str().unwrap();
        assert!(
            kind.starts_with("LG_") && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        );
        for side in ["start", "end"] {
            assert_eq!(edge[side]["match_by"], "id");
            assert!(ids.contains(edge[side]["value"].as_str().unwrap()));
        }
        assert!(
            edge["properties"]
                .as_object()
                .unwrap()
                .values()
                .all(|value| !value.is_object() && !value.is_array())
        );
    }
}

#[test]
fn a_drawing_has_a_box_per_node_apart_from_the_others() {
    let text = svg(&Neighbourhood::of(&rows()));
    let boxes: BTreeSet<&str> =
        text.split("<rect ").skip(1).map(|rest| rest.split(" width").next().unwrap()).collect();
    assert_eq!(boxes.len(), 5);
    assert!(text.contains(">role/a-very-long-name-of-a-role<"), "of an ARN the resource");
    let long = svg(&Neighbourhood::of(&[edge(&"long/".repeat(20), "repo:o/r:token[contents:read]", "x", 0)]));
    assert!(long.contains(">…ng/long/") && long.contains(">r token: contents:read<"), "{long}");
    assert_eq!(svg(&Neighbourhood::default()), "");
    // A cycle has no beginning, and is drawn all the same.
    let cycle = Neighbourhood::of(&[edge("a", "b", "handoff", 0), edge("b", "a", "handoff", 0)]);
    assert_eq!(svg(&cycle).matches("<rect ").count(), 2);
}
