//! The manifests: `k8s/` as kustomize renders it, with the images that were asked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::{Reference, list, text};

/// What is to be rendered.
#[derive(Debug, Clone, clap::Args)]
pub struct ManifestArgs {
    /// Which overlay of k8s/overlays: dev, production, or one of your own
    #[arg(long, env = "STOREPULSE_OVERLAY", default_value = "dev")]
    pub overlay: String,
    /// Components of k8s/components on top, comma-separated: monitoring, keda, firestore-key
    #[arg(long, value_delimiter = ',')]
    pub with: Vec<String>,
    /// The directory k8s/ [default: looked for from here upwards]
    #[arg(long, env = "STOREPULSE_K8S_DIR")]
    pub manifests: Option<PathBuf>,
    #[command(flatten)]
    images: ImageArgs,
}

/// Where images come from.
#[derive(Debug, Clone, Default, clap::Args)]
struct ImageArgs {
    /// What stands in front of /services:VERSION, such as registry.example.org/shop
    #[arg(long, env = "STOREPULSE_REGISTRY", default_value = "storepulse")]
    registry: String,
    /// The version of storepulse's image [default: that of the manifests]
    #[arg(long, env = "STOREPULSE_VERSION")]
    image_version: Option<String>,
    /// The image of Kafka's nodes [default: the Strimzi operator's]
    #[arg(long, env = "KAFKA_IMAGE")]
    kafka_image: Option<String>,
    /// The image of the Firestore emulator [default: that of the overlay]
    #[arg(long, env = "FIRESTORE_EMULATOR_IMAGE")]
    firestore_emulator_image: Option<String>,
}

/// Everything an overlay consists of, the namespace first.
#[derive(Debug, Clone)]
pub struct Manifests {
    /// The objects, in the order in which they are applied.
    pub objects: Vec<Value>,
    /// The namespace of all of them.
    pub namespace: String,
}

impl Manifests {
    /// Renders them with `kubectl kustomize`.
    ///
    /// # Errors
    /// No such overlay or component, no kubectl, or kustomize refuses.
    pub fn render(args: &ManifestArgs) -> Result<Self> {
        let root = match &args.manifests {
            Some(given) if given.join("base/kustomization.yaml").is_file() => given.clone(),
            Some(given) => {
                return Err(Error::Setting(format!(
                    "--manifests is {}, which is not storepulse's k8s/: it has no base/kustomization.yaml",
                    given.display()
                )));
            }
            None => find_root()?,
        };
        let overlay = choose(&root, "overlays", "--overlay", &args.overlay)?;
        let components: Result<Vec<_>> =
            args.with.iter().map(|name| choose(&root, "components", "--with", name)).collect();
        let yaml = build(&overlay, &components?)?;
        Self::parse(&yaml, &args.images)
    }

    fn parse(yaml: &str, images: &ImageArgs) -> Result<Self> {
        let unreadable = |error: String| Error::Setting(format!("the rendered manifests can't be read: {error}"));
        let mut objects = Vec::new();
        for document in yaml.split("\n---\n") {
            objects.push(serde_saphyr::from_str::<Value>(document).map_err(|error| unreadable(error.to_string()))?);
        }
        for object in &mut objects {
            images.put(object);
        }
        let namespace = objects.iter().find(|object| text(object, "/kind") == "Namespace");
        let namespace = namespace.map(|object| text(object, "/metadata/name").to_owned());
        let namespace = namespace
            .ok_or_else(|| unreadable("there is no Namespace among them; use one of k8s/overlays".to_owned()))?;
        let manifests = Self { objects, namespace };
        manifests.check()?;
        Ok(manifests)
    }

    /// Refuses what was never filled in.
    fn check(&self) -> Result<()> {
        let unset = |object: &&Value| {
            text(object, "/kind") == "ConfigMap" && text(object, "/data/GCLOUD_PROJECT") == "your-project"
        };
        if self.objects.iter().any(|object| unset(&object)) {
            return Err(Error::Setting(
                "GCLOUD_PROJECT is your-project: write your project's id into k8s/overlays/production/settings.env"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// The objects of a kind.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| text(object, "/kind") == kind)
    }

    /// The name of the Kafka cluster.
    ///
    /// # Errors
    /// There is none in the manifests.
    pub fn kafka(&self) -> Result<String> {
        let name = self.of_kind("Kafka").next().map(|kafka| text(kafka, "/metadata/name").to_owned());
        name.ok_or_else(|| Error::Setting("there is no Kafka among the manifests".to_owned()))
    }

    /// The names of all objects.
    pub fn references(&self) -> Vec<Reference> {
        self.objects.iter().filter_map(Reference::of).collect()
    }

    /// Whether a Deployment mounts this Secret, which nobody makes but the user.
    pub fn mounts_secret(&self, secret: &str) -> bool {
        self.of_kind("Deployment").any(|deployment| {
            let volumes = list(deployment, "/spec/template/spec/volumes");
            volumes.iter().any(|volume| text(volume, "/secret/secretName") == secret)
        })
    }
}

/// Storepulse's image as the manifests name it, up to its version.
const OURS: &str = "storepulse/services:";

impl ImageArgs {
    fn put(&self, object: &mut Value) {
        if let (Some(image), "Kafka") = (&self.kafka_image, text(object, "/kind")) {
            object["spec"]["kafka"]["image"] = image.as_str().into();
        }
        let is_emulator = text(object, "/metadata/name") == "firestore-emulator";
        let containers = object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let image = text(container, "/image").to_owned();
            match (&self.firestore_emulator_image, image.strip_prefix(OURS)) {
                (_, Some(tag)) => container["image"] = self.storepulse(tag).into(),
                (Some(image), None) if is_emulator => container["image"] = image.as_str().into(),
                _ => {}
            }
        }
    }

    fn storepulse(&self, tag: &str) -> String {
        let registry = match self.registry.trim_end_matches('/') {
            "" => "storepulse",
            registry => registry,
        };
        format!("{registry}/services:{}", self.image_version.as_deref().unwrap_or(tag))
    }
}

fn find_root() -> Result<PathBuf> {
    let here = std::env::current_dir().map_err(|error| Error::Setting(format!("the working directory: {error}")))?;
    let found = here.ancestors().map(|dir| dir.join("k8s")).find(|dir| dir.join("base/kustomization.yaml").is_file());
    found.ok_or_else(|| {
        Error::Setting("there is no k8s/ here or above: run this in the repository, or give --manifests".to_owned())
    })
}

fn choose(root: &Path, among: &str, flag: &str, name: &str) -> Result<PathBuf> {
    let dir = root.join(among);
    if name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && dir.join(name).join("kustomization.yaml").is_file()
    {
        return Ok(dir.join(name));
    }
    let mut known: Vec<String> = std::fs::read_dir(&dir)
        .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    known.sort();
    Err(Error::Setting(format!("{flag} is {name:?}: allowed is {} ({})", known.join(", "), dir.display())))
}

/// Renders an overlay; with components, by a kustomization of its own in a temporary directory.
fn build(overlay: &Path, components: &[PathBuf]) -> Result<String> {
    let failed = |what: &str, error: std::io::Error| Error::Setting(format!("{what}: {error}"));
    if components.is_empty() {
        return kustomize(overlay);
    }
    let dir = tempfile::tempdir().map_err(|error| failed("no temporary directory can be made", error))?;
    let here = dir.path().canonicalize().map_err(|error| failed("the temporary directory", error))?;
    let relative = |path: &Path| -> Result<String> {
        let path = path.canonicalize().map_err(|error| failed(&path.display().to_string(), error))?;
        let up = "../".repeat(here.components().count() - 1);
        Ok(format!("{up}{}", path.display().to_string().trim_start_matches('/')))
    };
    let components: Result<Vec<String>> = components.iter().map(|path| relative(path)).collect();
    let kustomization = serde_json::json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative(overlay)?],
        "components": components?,
    });
    // JSON is YAML.
    std::fs::write(here.join("kustomization.yaml"), kustomization.to_string())
        .map_err(|error| failed("the temporary directory", error))?;
    kustomize(&here)
}

fn kustomize(dir: &Path) -> Result<String> {
    let ran = Command::new("kubectl").arg("kustomize").arg(dir).output();
    let output = ran.map_err(|error| {
        Error::Setting(format!(
            "kubectl can't be run: {error}; install it (1.27 or newer): https://kubernetes.io/docs/tasks/tools"
        ))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing").to_owned();
        return Err(Error::Setting(format!(
            "kustomize refuses {}: {}",
            dir.display(),
            said.trim_start_matches("error: ")
        )));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Error::Setting("kustomize wrote something that is not text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n---\napiVersion: apps/v1\nkind: Deployment\n\
        metadata: {name: analytics, namespace: shop}\nspec: {template: {spec: {containers: [{name: a, image: 'storepulse/services:1.2'}, {name: b, image: other}]}}}\n---\n\
        apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {name: k, namespace: shop}\nspec: {kafka: {}}\n";

    #[test]
    fn images_come_from_where_they_are_said_to() {
        let parse = |images: ImageArgs| Manifests::parse(YAML, &images).unwrap();
        let image = |manifests: &Manifests| {
            let deployment = manifests.of_kind("Deployment").next().unwrap();
            text(deployment, "/spec/template/spec/containers/0/image").to_owned()
        };
        assert_eq!(image(&parse(ImageArgs::default())), "storepulse/services:1.2");
        for registry in ["mirror.example.org/shop", "mirror.example.org/shop/"] {
            let images =
                ImageArgs { registry: registry.into(), image_version: Some("9".into()), ..ImageArgs::default() };
            assert_eq!(image(&parse(images)), "mirror.example.org/shop/services:9");
        }
        let manifests = parse(ImageArgs { kafka_image: Some("kafka:x".into()), ..ImageArgs::default() });
        assert_eq!(text(manifests.of_kind("Kafka").next().unwrap(), "/spec/kafka/image"), "kafka:x");
        assert_eq!(text(&manifests.objects[1], "/spec/template/spec/containers/1/image"), "other");
        assert_eq!((manifests.namespace.as_str(), manifests.kafka().unwrap().as_str()), ("shop", "k"));
    }

    #[test]
    fn a_project_that_was_never_filled_in_is_refused() {
        let yaml = format!(
            "{YAML}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{GCLOUD_PROJECT: your-project}}\n"
        );
        let error = Manifests::parse(&yaml, &ImageArgs::default()).unwrap_err();
        assert_eq!(error.code(), 2);
        assert!(error.to_string().contains("settings.env"), "{error}");
    }
}
