//! Reads a broadcast's list as people have it: UTF-8 with or without BOM, or GBK as Excel writes it; one id a
//! line, or CSV with a header `external_userid[,userid]`.

use std::collections::HashSet;

use crate::broadcast::Recipient;
use crate::model::Text;
use crate::wecom::id::{ExternalUserId, UserId};

/// A list that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadList {
    /// Each recipient once, in the order of the file.
    pub recipients: Vec<Recipient>,
    /// Lines that named somebody again.
    pub duplicates: Vec<(usize, String)>,
}

/// Why a list cannot be used; nothing of it is.
pub type ListError = Text;

/// Reads the bytes of a list file.
pub fn read(bytes: &[u8]) -> Result<ReadList, ListError> {
    let text = decode(bytes)?;
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
        .peekable();
    let header = lines
        .peek()
        .is_some_and(|(_, l)| cells(l).iter().any(|c| c == "external_userid"));
    let rows = if header { csv_rows(&text)? } else { plain_rows(&text) };
    let mut out = ReadList {
        recipients: Vec::new(),
        duplicates: Vec::new(),
    };
    let mut seen = HashSet::new();
    for (line, contact, sender) in rows {
        let contact = ExternalUserId::parse(&contact).map_err(|e| bad(line, &contact, &e.to_string()))?;
        if contact.as_str().contains([' ', '\t', ',']) {
            return Err(bad(line, contact.as_str(), "holds a space or a comma"));
        }
        let sender = match sender.as_deref() {
            None | Some("") => None,
            Some(s) => Some(UserId::parse(s).map_err(|e| bad(line, s, &e.to_string()))?),
        };
        if seen.insert(contact.clone()) {
            out.recipients.push(Recipient { contact, sender });
        } else {
            out.duplicates.push((line, contact.to_string()));
        }
    }
    if out.recipients.is_empty() {
        return Err(Text::new(
            "名单是空的。请每行写一个 external_userid",
            "the list is empty. Write one external_userid a line",
        ));
    }
    Ok(out)
}

fn decode(bytes: &[u8]) -> Result<String, ListError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    let (text, _, broken) = encoding_rs::GBK.decode(bytes);
    if broken {
        return Err(Text::new(
            "名单文件既不是 UTF-8 也不是 GBK。请另存为 UTF-8",
            "the list is neither UTF-8 nor GBK. Save it as UTF-8",
        ));
    }
    Ok(text.into_owned())
}

fn cells(line: &str) -> Vec<String> {
    line.split([',', ';', '\t'])
        .map(|c| c.trim().trim_matches('"').to_ascii_lowercase())
        .collect()
}

type Row = (usize, String, Option<String>);

fn plain_rows(text: &str) -> Vec<Row> {
    let rows = text
        .lines()
        .enumerate()
        .map(|(i, l)| (i + 1, l.trim().to_owned(), None));
    rows.filter(|(_, l, _)| !l.is_empty() && !l.starts_with('#')).collect()
}

fn csv_rows(text: &str) -> Result<Vec<Row>, ListError> {
    let first = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|d| first.bytes().filter(|b| b == d).count());
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .delimiter(delimiter.unwrap_or(b','))
        .from_reader(text.trim_start().as_bytes());
    let headers = reader.headers().map_err(|e| csv_error(&e))?.clone();
    let column = |name: &str| headers.iter().position(|h| h.eq_ignore_ascii_case(name));
    let contact = column("external_userid").unwrap_or(0);
    let sender = column("userid");
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| csv_error(&e))?;
        let line = record.position().map_or(0, |p| usize::try_from(p.line()).unwrap_or(0));
        let cell = |i: usize| record.get(i).unwrap_or_default().to_owned();
        if record.iter().all(str::is_empty) {
            continue;
        }
        rows.push((line, cell(contact), sender.map(cell)));
    }
    Ok(rows)
}

fn csv_error(e: &csv::Error) -> ListError {
    Text::new(
        format!("CSV 无法读取：{e}。请检查引号和列数"),
        format!("the CSV cannot be read: {e}. Check its quotes"),
    )
}

fn bad(line: usize, what: &str, why: &str) -> ListError {
    Text::new(
        format!("第 {line} 行不是 external_userid：{what:?}（{why}）。请改正或删除这一行"),
        format!("line {line} is not an external_userid: {what:?} {why}. Correct or delete the line"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &ReadList) -> Vec<&str> {
        list.recipients.iter().map(|r| r.contact.as_str()).collect()
    }

    #[test]
    fn one_id_a_line_with_bom_and_windows_line_ends() {
        let list = read(b"\xef\xbb\xbfwo1\r\nwo2\r\n\r\nwo1\r\n").unwrap();
        assert_eq!(ids(&list), ["wo1", "wo2"]);
        assert_eq!(list.duplicates, [(4, "wo1".to_owned())]);
    }

    #[test]
    fn csv_finds_its_columns_by_name_and_keeps_the_member() {
        let list = read("\u{feff}备注,external_userid,userid\n老客户,wo1,zhangsan\n,wo2,\n".as_bytes()).unwrap();
        assert_eq!(ids(&list), ["wo1", "wo2"]);
        assert_eq!(list.recipients[0].sender.as_ref().unwrap().as_str(), "zhangsan");
        assert_eq!(list.recipients[1].sender, None);
    }

    #[test]
    fn a_gbk_file_of_excel_is_read() {
        let (bytes, _, _) = encoding_rs::GBK.encode("姓名,external_userid\n张三,wo1\n");
        assert_eq!(ids(&read(&bytes).unwrap()), ["wo1"]);
    }

    #[test]
    fn an_empty_list_and_a_line_that_is_no_id_are_refused_with_the_place() {
        assert!(read(b"\n\n").unwrap_err().en.contains("empty"));
        assert!(read(b"wo1\nwo 2\n").unwrap_err().en.contains("line 2"));
        assert!(read(b"external_userid\n").unwrap_err().en.contains("empty"));
    }
}
