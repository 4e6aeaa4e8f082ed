//! `pom.xml`, whole: dependencies, their management, plugins, parents, profiles, and the properties that
//! set their versions.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::{Document, Node, ParsingOptions};

use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::Role;
use crate::judge::advisory::tree::value::Value;

/// Elements that name an artifact by group, name and version.
const COORDINATES: [&str; 4] = ["dependency", "plugin", "parent", "extension"];
/// The group of plugins that name none.
const PLUGIN_GROUP: &str = "org.apache.maven.plugins";

/// More children than a dependency has.
const MAX_CHILDREN: usize = 256;

/// Who uses a property as a version.
#[derive(Default)]
struct Users {
    /// The named packages that do.
    named: Vec<String>,
    /// Whether anybody else does.
    others: bool,
}

/// Reads the file and takes out the places of named packages.
pub(in super::super) fn read(text: &str, mask: &mut Mask<'_>) -> Option<Value> {
    let options = ParsingOptions {
        // Entities could make one text of another.
        allow_dtd: false,
        nodes_limit: 1_000_000,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).ok()?;
    let root = document.root_element();
    if is_deep(root) {
        return None;
    }
    let users = users(mask, root);
    let properties = root
        .descendants()
        .filter(|node| is_property(*node))
        .map(|node| node.tag_name().name())
        .collect();
    let mut reader = Reader {
        mask,
        users: &users,
        properties,
    };
    Some(reader.element(root, ""))
}

/// Whether elements nest deeper than in any project, so that to walk them might exhaust the stack.
fn is_deep(root: Node<'_, '_>) -> bool {
    let mut open = vec![(root, 0)];
    while let Some((node, depth)) = open.pop() {
        if depth > super::MAX_DEPTH {
            return true;
        }
        open.extend(node.children().map(|child| (child, depth + 1)));
    }
    false
}

/// Returns who uses which property.
fn users(mask: &Mask<'_>, root: Node<'_, '_>) -> BTreeMap<String, Users> {
    let mut all: BTreeMap<String, Users> = BTreeMap::new();
    for node in root.descendants().filter(Node::is_text) {
        let Some(text) = node.text() else {
            continue;
        };
        for property in properties(text) {
            let users = all.entry(property.to_owned()).or_default();
            let element = node.parent();
            let owner = element.and_then(|element| owner(mask, element));
            match owner {
                Some(package) if whole_property(text.trim()) == Some(property) => {
                    users.named.push(package);
                }
                _ => users.others = true,
            }
        }
    }
    all
}

/// Returns the names in `${...}`.
fn properties(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// Returns the property that a text consists of.
fn whole_property(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.contains(['$', '{', '}'])).then_some(name)
}

/// Returns the named package whose `<version>` the element is.
fn owner(mask: &Mask<'_>, element: Node<'_, '_>) -> Option<String> {
    let parent = element
        .parent()
        .filter(|_| element.has_tag_name_of("version"))?;
    if parent.children().nth(MAX_CHILDREN).is_some() {
        return None;
    }
    let name = parent.tag_name().name();
    if !COORDINATES.contains(&name) {
        return None;
    }
    let group = child(parent, "groupId").or((name == "plugin").then_some(PLUGIN_GROUP))?;
    let artifact = child(parent, "artifactId")?;
    mask.named_parts(group, artifact).map(str::to_owned)
}

/// Returns the text of a child that holds nothing else.
fn child<'d>(element: Node<'d, '_>, name: &str) -> Option<&'d str> {
    let mut found = element.children().filter(|node| node.has_tag_name_of(name));
    let one = found.next()?;
    // Twice the same element: each tool takes another.
    if found.next().is_some() || one.children().any(|node| node.is_element()) {
        return None;
    }
    Some(one.text().unwrap_or_default().trim())
}

/// Compares names without their namespace, as Maven does for all that matters here.
trait Named {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl Named for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

struct Reader<'m, 'f> {
    mask: &'m mut Mask<'f>,
    users: &'m BTreeMap<String, Users>,
    /// Properties that are set here.
    properties: BTreeSet<&'m str>,
}

impl Reader<'_, '_> {
    /// Returns an element as a value: name, attributes, text and children.
    fn element(&mut self, node: Node<'_, '_>, at: &str) -> Value {
        let name = node.tag_name().name();
        self.check(node);
        let here = [at, "/", name].concat();
        let place = self.version(node, at).or_else(|| self.property(node, at));
        let (text, children) = match place {
            Some(hole) => (hole, Vec::new()),
            None => {
                let text: String = node
                    .children()
                    .filter(Node::is_text)
                    .filter_map(|text| text.text())
                    .collect();
                // Children of one name are told apart by the artifact that they are about.
                let children = node.children().filter(Node::is_element).map(|inner| {
                    let key = child(inner, "artifactId").or(child(inner, "id"));
                    let below = match key {
                        Some(key) => [&here, ":", key].concat(),
                        None => here.clone(),
                    };
                    self.element(inner, &below)
                });
                (Value::Text(text.trim().to_owned()), children.collect())
            }
        };
        let attributes = node.attributes().map(|attribute| {
            let value = Value::Text(attribute.value().to_owned());
            (attribute.name().to_owned(), value)
        });
        let mut entries = vec![("name".to_owned(), Value::Text(name.to_owned()))];
        entries.push(("attributes".to_owned(), Value::Map(attributes.collect())));
        entries.push(("text".to_owned(), text));
        entries.push(("children".to_owned(), Value::List(children)));
        Value::Map(entries)
    }

    /// Notes what makes a dependency on a named package more than a version.
    fn check(&mut self, node: Node<'_, '_>) {
        if !COORDINATES.contains(&node.tag_name().name()) {
            return;
        }
        let group = child(node, "groupId").unwrap_or_default();
        let artifact = child(node, "artifactId").unwrap_or_default();
        if self.mask.named_parts(group, artifact).is_some()
            && (child(node, "scope") == Some("system") || child(node, "systemPath").is_some())
        {
            self.mask
                .problem(NotABumpReason::NonRegistrySource, artifact);
        }
    }

    /// The version of a named package, where it stands itself or through a property that is set nowhere here.
    fn version(&mut self, node: Node<'_, '_>, at: &str) -> Option<Value> {
        let package = owner(self.mask, node)?;
        let text = node.text().unwrap_or_default().trim();
        if node.children().any(|inner| !inner.is_text()) {
            return None;
        }
        if text.contains("${") {
            // Its value is a place of its own, if this file sets it. Elsewhere set, it is not to be seen.
            let property = whole_property(text)?;
            if !self.properties.contains(property) {
                self.mask.unseen(&package, [at, "/", property].concat());
            }
            return None;
        }
        let at = [at, "/version"].concat();
        self.mask
            .place(&package, Role::Requirement, at, Syntax::Maven, text)
            .then_some(Value::Hole)
    }

    /// The value of a property that sets versions of named packages alone.
    fn property(&mut self, node: Node<'_, '_>, at: &str) -> Option<Value> {
        if !is_property(node) || node.children().any(|inner| !inner.is_text()) {
            return None;
        }
        let name = node.tag_name().name();
        let users = self.users.get(name)?;
        let text = node.text().unwrap_or_default().trim();
        let mut understood = !users.named.is_empty();
        let mut packages = users.named.clone();
        packages.sort();
        packages.dedup();
        for package in packages {
            let at = [at, "/", name].concat();
            if text.contains("${") {
                self.mask.unseen(&package, at);
                understood = false;
                continue;
            }
            understood &= self
                .mask
                .place(&package, Role::Requirement, at, Syntax::Maven, text);
        }
        // What others use as well moves them too.
        (understood && !users.others).then_some(Value::Hole)
    }
}

/// Whether the element sets a property of the project or of a profile.
fn is_property(node: Node<'_, '_>) -> bool {
    node.is_element()
        && node
            .parent()
            .is_some_and(|parent| parent.has_tag_name_of("properties"))
}
