//! Employers, made through the API.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::load::Client;

/// An employer with one program, a partner of the same key that may know everything, and members `m-0`, `m-1` and so on.
pub struct Employer {
    pub key: String,
    /// The inputs of its incentives, but for what they are in.
    pub incentives: Vec<Value>,
    pub members: usize,
}

impl Employer {
    /// An employer with these incentives and so many members.
    pub fn new(key: &str, incentives: Vec<Value>, members: usize) -> Self {
        Self {
            key: key.to_owned(),
            incentives,
            members,
        }
    }

    /// Makes it, without its members.
    pub async fn create(&self, operator: &Client) -> anyhow::Result<()> {
        let key = &self.key;
        let mutate = async |name: &str, input: Value, type_name: &str| {
            let query = format!(
                "mutation($input: {type_name}!) {{ {name}(input: $input) {{ userErrors {{ message path }} }} }}"
            );
            let data = operator.query(&query, json!({"input": input})).await?;
            let errors = &data[name]["userErrors"];
            ensure!(errors.as_array().is_some_and(Vec::is_empty), "{name}: {errors}");
            anyhow::Ok(())
        };
        let employer = json!({"key": key, "name": key, "timeZone": "Europe/Berlin", "consentDefaults": {"partnerSharing": true}});
        mutate("createEmployer", employer, "CreateEmployerInput").await?;
        let partner = json!({"key": key, "name": key});
        mutate("createPartner", partner, "CreatePartnerInput").await?;
        let program = json!({"employer": key, "key": "program", "name": "Program"});
        mutate("createProgram", program, "CreateProgramInput").await?;
        for incentive in &self.incentives {
            let mut input = incentive.clone();
            input["employer"] = json!(key);
            input["program"] = json!("program");
            mutate("createIncentive", input, "CreateIncentiveInput").await?;
        }
        let grant = json!({"employer": key, "partner": key, "programs": ["program"]});
        mutate("grantPartner", grant, "GrantPartnerInput").await?;
        let program = json!({"employer": key, "program": "program"});
        mutate("activateProgram", program, "ProgramKeyInput").await
    }
}
