{{/*
Names are not made from the release: the CRD is the cluster's, so there is one operator in a cluster, and the message
that tells how to grant a namespace names its ClusterRole.
*/}}
{{- define "tpstack.name" -}}
tpstack-operator
{{- end }}

{{- define "tpstack.childrenRole" -}}
tpstack-operator-children
{{- end }}

{{/*
What selects the operator's pod. It must never change (a Deployment's selector is immutable), and the name differs from
the `tpstack` that the children of stacks carry.
*/}}
{{- define "tpstack.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tpstack.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
Labels of every object. `app.kubernetes.io/managed-by` is left out: Helm puts it on what it installs by itself, and it
would be untrue in manifests/install.yaml.
*/}}
{{- define "tpstack.labels" -}}
{{ include "tpstack.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: tpstack
{{- end }}

{{- define "tpstack.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The one subject of all bindings. */}}
{{- define "tpstack.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "tpstack.name" . }}
    namespace: {{ .Release.Namespace }}
{{- end }}
