{ The cases in Pascal: see cases.c. The unit reads the JSON of the cases too. }
program cases;

{$MODE DELPHI}
{$CODEPAGE UTF8}

uses
  cthreads, SysUtils, Classes, engagepointshop;

{ Makes the call of a case or of a step before it. }
function Make(shop: TEpsClient; const step: TEpsJson): UTF8String;
var
  call, first, second: UTF8String;
  options: TEpsOptions;
begin
  call := step.Text('/call');
  first := step.Text('/arguments/0');
  second := step.Text('/arguments/1');
  options := EpsOptions;
  if step.Has('/options') then options := EpsOptionsOf(step.Value('/options').Json);
  if call = 'find_contact' then Result := EpsQuote(shop.FindContact(first, second, options))
  else if call = 'list_points' then Result := shop.ListPoints(first, options).Json
  else if call = 'list_items' then Result := shop.ListItems(first, options).Json
  else if call = 'purchase' then Result := shop.Purchase(first, second, options).Json
  else if call = 'list_purchases' then Result := shop.ListPurchases(first, options).Json
  else if call = 'list_rewards' then Result := shop.ListRewards(first, options).Json
  else if call = 'find_reward' then Result := shop.FindReward(first, options).Json
  else if (call = 'redeem_reward') and not step.Has('/arguments/0') then Result := shop.RedeemReward(second, options).Json
  else if call = 'redeem_reward' then Result := shop.RedeemReward(first, second, options).Json
  else if call = 'list_unacknowledged' then Result := shop.ListUnacknowledged(options).Json
  else if call = 'list_operations' then Result := shop.ListOperations(options).Json
  else if call = 'get_operation' then Result := shop.GetOperation(first).Json
  else if call = 'resolve_pending' then Result := shop.ResolvePending(options).Json
  else if call = 'acknowledge' then Result := shop.Acknowledge(first).Json
  else if call = 'resolve_review' then Result := shop.ResolveReview(first, second, options).Json
  else if call = 'acknowledge_reference' then Result := shop.AcknowledgeReference(first).Json
  else if call = 'backup_journal' then Result := shop.BackupJournal(first).Json
  else if call = 'check' then Result := shop.Check(options).Json
  else if call = 'read_metrics' then Result := EpsQuote(shop.ReadMetrics)
  else if call = 'read_stats' then Result := shop.ReadStats.Json
  else if call = 'code_action' then Result := EpsQuote(EpsAction(StrToInt(string(first))))
  else if call = 'code_meaning' then Result := EpsQuote(EpsMeaning(StrToInt(string(first))))
  else if call = 'json_quote' then Result := EpsQuote(first)
  else if call = 'json_get' then Result := EpsQuote(EpsGet(first, second))
  else raise Exception.Create('no such call: ' + string(call));
end;

function Load(const path: string): TEpsJson;
var
  bytes: TMemoryStream;
  text: UTF8String;
begin
  bytes := TMemoryStream.Create;
  try
    bytes.LoadFromFile(path);
    SetString(text, PAnsiChar(bytes.Memory), bytes.Size);
  finally
    bytes.Free;
  end;
  Result := EpsJson(text);
end;

var
  all, each: TEpsJson;
  number, at: Integer;
  shop: TEpsClient;
  code: Int32;
  outcome, json, line: UTF8String;
  output: THandleStream;
begin
  SetMultiByteConversionCodePage(CP_UTF8);
  output := THandleStream.Create(TTextRec(System.Output).Handle);
  all := Load(ParamStr(1));
  for number := 0 to all.Count('') - 1 do
  begin
    each := all.Value('/' + UTF8String(IntToStr(number)));
    shop := TEpsClient.Create(EpsOptions.Text('baseUrl', UTF8String(ParamStr(2))).Text('userAgent', 'Cases/1')
      .Text('apiKey', UTF8String('case-' + IntToStr(number))).Text('journal', 'memory'));
    for at := 0 to each.Count('/before') - 1 do
    try
      Make(shop, each.Value('/before/' + UTF8String(IntToStr(at))));
    except
      on EEpsError do Continue; // Only its effect counts. The expected result shows it.
    end;
    code := EPS_OK;
    outcome := 'completed';
    try
      json := Make(shop, each);
    except
      on error: EEpsError do
      begin
        code := error.Code;
        json := error.Problem.Json;
        if error is EEpsDeclined then outcome := 'declined'
        else if error is EEpsPending then outcome := 'pending'
        else outcome := 'notSent';
      end;
    end;
    shop.Free;
    line := UTF8String(IntToStr(number)) + #9 + EpsName(code) + #9 + outcome + #9 + json + #10;
    output.WriteBuffer(line[1], Length(line));
  end;
end.
