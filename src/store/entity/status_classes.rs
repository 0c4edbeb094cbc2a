//! What a status name means; a table that an operator may extend.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;

/// What a status says about its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Class {
    #[sea_orm(string_value = "progress")]
    Progress,
    #[sea_orm(string_value = "success")]
    Success,
    #[sea_orm(string_value = "failure")]
    Failure,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "status_classes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub status: String,
    pub class: Class,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The class of each of these names that has one; every other name counts as progress.
///
/// # Errors
/// Whatever the database answers.
pub async fn of_names<C: ConnectionTrait>(
    names: Vec<String>,
    db: &C,
) -> Result<HashMap<String, Class>, DbErr> {
    let listed = Entity::find().filter(Column::Status.eq_any(names));
    let listed = listed.all(db).await?;
    Ok(listed
        .into_iter()
        .map(|row| (row.status, row.class))
        .collect())
}
