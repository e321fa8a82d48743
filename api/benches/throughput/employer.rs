//! Employers, made through the API.

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
        let employer = json!({"key": key, "name": key, "timeZone": "Europe/Berlin", "consentDefaults": {"partnerSharing": true}});
        operator
            .mutate("createEmployer", "CreateEmployerInput", employer)
            .await?;
        let partner = json!({"key": key, "name": key});
        operator
            .mutate("createPartner", "CreatePartnerInput", partner)
            .await?;
        let program = json!({"employer": key, "key": "program", "name": "Program"});
        operator
            .mutate("createProgram", "CreateProgramInput", program)
            .await?;
        for incentive in &self.incentives {
            let mut input = incentive.clone();
            input["employer"] = json!(key);
            input["program"] = json!("program");
            operator
                .mutate("createIncentive", "CreateIncentiveInput", input)
                .await?;
        }
        let grant = json!({"employer": key, "partner": key, "programs": ["program"]});
        operator
            .mutate("grantPartner", "GrantPartnerInput", grant)
            .await?;
        let program = json!({"employer": key, "program": "program"});
        operator
            .mutate("activateProgram", "ProgramKeyInput", program)
            .await
    }
}
