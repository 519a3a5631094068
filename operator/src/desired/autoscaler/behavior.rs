//! How fast the number of the API's pods may change. [pure]

use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior,
};

use crate::crd::{BehaviorSpec, ScalingPolicyType, ScalingRulesSpec, SelectPolicy};

/// Kubernetes' own policies, each a type and a value within 15 seconds.
const UP: [(&str, i32); 2] = [("Pods", 4), ("Percent", 100)];
const DOWN: [(&str, i32); 1] = [("Percent", 100)];
const PERIOD_SECONDS: i32 = 15;

/// What is sent. Always all of it: what the server would add by itself is nobody's, and would stay after the rule that it
/// was added to is gone.
pub(super) fn behavior(spec: &BehaviorSpec) -> HorizontalPodAutoscalerBehavior {
    let (up, down) = (spec.scale_up.as_ref(), spec.scale_down.as_ref());
    HorizontalPodAutoscalerBehavior {
        scale_up: Some(HPAScalingRules {
            stabilization_window_seconds: Some(window(up).unwrap_or(0)),
            ..rules(up, &UP)
        }),
        scale_down: Some(HPAScalingRules {
            // The cluster has its own default, which the server does not write down.
            stabilization_window_seconds: window(down),
            ..rules(down, &DOWN)
        }),
    }
}

fn window(spec: Option<&ScalingRulesSpec>) -> Option<i32> {
    spec?.stabilization_window_seconds
}

fn rules(spec: Option<&ScalingRulesSpec>, otherwise: &[(&str, i32)]) -> HPAScalingRules {
    let select = spec.and_then(|rules| rules.select_policy);
    let asked = spec.map_or(&[][..], |rules| &rules.policies);
    let policies = if asked.is_empty() {
        let policies = otherwise.iter();
        policies
            .map(|(type_, value)| HPAScalingPolicy {
                type_: (*type_).to_owned(),
                value: *value,
                period_seconds: PERIOD_SECONDS,
            })
            .collect()
    } else {
        let policies = asked.iter();
        policies
            .map(|policy| HPAScalingPolicy {
                type_: match policy.type_ {
                    ScalingPolicyType::Pods => "Pods",
                    ScalingPolicyType::Percent => "Percent",
                }
                .to_owned(),
                value: policy.value,
                period_seconds: policy.period_seconds,
            })
            .collect()
    };
    HPAScalingRules {
        policies: Some(policies),
        select_policy: Some(
            match select.unwrap_or(SelectPolicy::Max) {
                SelectPolicy::Max => "Max",
                SelectPolicy::Min => "Min",
                SelectPolicy::Disabled => "Disabled",
            }
            .to_owned(),
        ),
        ..HPAScalingRules::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::behavior;

    fn sent(spec: &Value) -> Value {
        let spec = serde_json::from_value(spec.clone()).unwrap();
        serde_json::to_value(behavior(&spec)).unwrap()
    }

    #[test]
    fn what_is_not_asked_for_is_sent_as_kubernetes_would_have_it() {
        let default = json!({
            "scaleUp": {
                "stabilizationWindowSeconds": 0, "selectPolicy": "Max",
                "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}],
            },
            "scaleDown": {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
        });
        assert_eq!(sent(&json!({})), default);
        assert_eq!(
            sent(&json!({"scaleUp": {}, "scaleDown": {"policies": []}})),
            default
        );
    }

    #[test]
    fn what_is_asked_for_is_sent() {
        let policy = json!({"type": "Pods", "value": 2, "periodSeconds": 60});
        let down =
            json!({"stabilizationWindowSeconds": 600, "selectPolicy": "Min", "policies": [policy]});
        let sent = sent(&json!({"scaleDown": down, "scaleUp": {"selectPolicy": "Disabled"}}));
        assert_eq!(sent["scaleDown"], down);
        assert_eq!(sent["scaleUp"]["selectPolicy"], "Disabled");
        assert_eq!(sent["scaleUp"]["policies"].as_array().unwrap().len(), 2);
    }
}
