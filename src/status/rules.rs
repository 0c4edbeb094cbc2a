use super::Field;

/// What a deployment demands of a message beyond its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `REQUIRED_FIELDS` (`org_id,service,request_id,status,date`). The fields no status can be
    /// without ([`Field::is_indispensable`]) are demanded whether they stand here or not.
    pub required: Vec<Field>,
    /// `VALIDATE_REQUEST_ID_LENGTH` (32; 0 is off): characters of a canonical request id.
    pub request_id_length: usize,
    /// `RETENTION_DAYS` (7): how many UTC days before today a date may lie.
    pub retention_days: u32,
}

impl Rules {
    pub(super) fn requires(&self, field: Field) -> bool {
        field.is_indispensable() || self.required.contains(&field)
    }
}

/// The contract's defaults.
impl Default for Rules {
    fn default() -> Self {
        Self {
            required: vec![
                Field::OrgId,
                Field::Service,
                Field::RequestId,
                Field::Status,
                Field::Date,
            ],
            request_id_length: 32,
            retention_days: 7,
        }
    }
}
