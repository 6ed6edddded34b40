{{- define "larnn.selector" -}}
app.kubernetes.io/name: larnn
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: service
{{- end }}

{{- define "larnn.labels" -}}
{{ include "larnn.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "larnn.valkey" -}}
app.kubernetes.io/name: larnn
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: store
{{- end }}

{{- define "larnn.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "larnn.scheme" -}}
{{ ternary "https" "http" (hasKey .Values.settings "TLS_CERT") }}
{{- end }}

{{- /* One variable of the container. */ -}}
{{- define "larnn.setting" -}}
- name: LARNN_{{ index . 0 }}
  value: {{ index . 1 | toString | quote }}
{{- end }}

{{- define "larnn.secret" -}}
- name: LARNN_{{ index . 0 }}
  valueFrom:
    secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}
{{- end }}

{{- /* Settings that the chart writes itself have values of its own, which other objects follow. */ -}}
{{- define "larnn.checked" -}}
{{- $own := dict "PORT" "port" "METRICS_PORT" "metricsPort" "GRPC_PORT" "grpc.port"
  "DRAIN_TIMEOUT" "drain.timeout" "DRAIN_DELAY" "drain.delay" "MODELS" "models.source"
  "MODELS_CACHE" "models.cacheSize" "MODEL" "models.default" "ROOT_PATH" "rootPath"
  "PROVIDER" "gpu.enabled" "OPERATORS" "operators" "ALLOWED_HOSTS" "allowedHosts"
  "ALLOW_ANYONE" "allowAnyone" "FETCH_TIMEOUT" "startup.fetch" "LOAD_TIMEOUT" "startup.load"
  "API_KEYS" "secret" "STORE" "secret" }}
{{- range $name := keys .Values.settings }}
{{- if hasPrefix "LARNN_" $name }}
{{- fail (printf "settings are without LARNN_: %s" $name) }}
{{- end }}
{{- with get $own $name }}
{{- fail (printf "the chart writes LARNN_%s itself: give the value %s, and not settings" $name .) }}
{{- end }}
{{- end }}
{{- range .Values.env }}
{{- $name := upper .name }}
{{- if hasPrefix "LARNN_" $name }}
{{- $name = trimPrefix "LARNN_" $name }}
{{- $value := get $own $name | default (printf "settings.%s" $name) }}
{{- fail (printf "env is for no settings: give the value %s, and not %s" $value .name) }}
{{- end }}
{{- end }}
{{- with .Values.rollout }}
{{- $none := list "0" "0%" }}
{{- if and (has (toString .maxUnavailable) $none) (has (toString .maxSurge) $none) }}
{{- fail "rollout.maxUnavailable and rollout.maxSurge are both 0: no pod could ever be replaced" }}
{{- end }}
{{- end }}
{{- end }}
