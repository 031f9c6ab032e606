-- grain in: one row per ifzo row. grain out: one row per person x title (code and begin), with its best known end.
-- why: registers repeat titles; DEFINITIEF goes before VOORLOPIG before the rest, then the latest date.
-- source: linkage.md section 7, Title ends. 9999-12-31 stands for an unknown end.
create table titles as
with
judged as (
  select
    person_id,
    titel_code,
    coalesce(titel_begin, least(coalesce(zorg_begin, datum_indicatie, titel_eind), titel_eind)) as title_begin,
    case
      when titel_eind is not null and titel_eind_status in ('DEFINITIEF', 'VOORLOPIG') then titel_eind
      else date '9999-12-31'
    end as title_end,
    case
      when titel_eind is not null and titel_eind_status in ('DEFINITIEF', 'VOORLOPIG') then titel_eind_status
      when titel_eind_status = 'ONBEPAALD' then 'ONBEPAALD'
      else 'ONBEKEND'
    end as status,
    zorg_begin is not null as realised
  from ifzo
),
ranked as (
  select
    *,
    case status when 'DEFINITIEF' then 0 when 'VOORLOPIG' then 1 when 'ONBEPAALD' then 2 else 3 end as status_rank
  from judged
  where title_begin is not null
    and person_id between $first_person::bigint and $last_person::bigint
)
select
  person_id,
  titel_code,
  title_begin,
  first(title_end order by status_rank, title_end desc) as title_end,
  first(status order by status_rank, title_end desc) as status,
  min(status_rank) as status_rank,
  bool_or(realised) as realised
from ranked
group by person_id, titel_code, title_begin
