{{- define "adapter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "adapter.fullname" -}}
{{- $name := include "adapter.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "adapter.selector" -}}
app.kubernetes.io/name: {{ include "adapter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "adapter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: metrics
app.kubernetes.io/part-of: {{ include "adapter.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "adapter.selector" . }}
{{- end -}}

{{- define "adapter.configmap" -}}
{{- .Values.rules.existing | default (include "adapter.fullname" .) -}}
{{- end -}}

{{/* "true" where the adapter is to serve custom.metrics.k8s.io, else empty. */}}
{{- define "adapter.servesCustom" -}}
{{- if or .Values.rules.default .Values.rules.custom .Values.rules.existing -}}true{{- end -}}
{{- end -}}
