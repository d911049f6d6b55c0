//! Members, and the address lists.

use serde_json::json;

use super::call::Call;
use super::corp::Corp;
use super::refusal::{Answer, refuse};

/// `user/get`
pub(super) fn get(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let id = call.param("userid", 41009)?;
    match corp.members.get(id) {
        None => refuse(60111, id),
        Some(_) if !corp.sees(call.app, id) => refuse(60011, id),
        Some(m) => Ok(json!({
            "userid": id, "name": m.name, "alias": m.alias, "position": "", "department": m.departments, "status": 1,
            "external_position": "", "external_profile": {"external_corp_name": ""},
        })),
    }
}

/// `getcallbackip` and `get_api_domain_ip`: the sandbox lives on this host.
pub(super) fn ip_list(_: &mut Corp, _: &Call<'_>) -> Answer {
    Ok(json!({"ip_list": ["127.0.0.1"]}))
}
